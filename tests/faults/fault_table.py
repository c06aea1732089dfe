"""The table: every fault, in groups."""

from __future__ import annotations

from fault_run import Fault
from faults_connection import CLOCK, CONNECTIONS, ENDLESS, FRAMING, NO_HTTP
from faults_refusals import ECHOES, REDIRECTS, REFUSALS, WAITS
from faults_stream import CALLS, ENDS, FORMS, IN_STREAM, JSON_FAULTS, LINES, VALUES

GROUPS: dict[str, tuple[Fault, ...]] = {
    "connections": CONNECTIONS,
    "no HTTP": NO_HTTP,
    "framing": FRAMING,
    "clock": CLOCK,
    "endless": ENDLESS,
    "ends": ENDS,
    "forms": FORMS,
    "lines": LINES,
    "JSON": JSON_FAULTS,
    "values": VALUES,
    "calls": CALLS,
    "errors in the stream": IN_STREAM,
    "waits": WAITS,
    "refusals": REFUSALS,
    "redirects": REDIRECTS,
    "echoes": ECHOES,
}
TABLE: tuple[Fault, ...] = tuple(fault for group in GROUPS.values() for fault in group)
