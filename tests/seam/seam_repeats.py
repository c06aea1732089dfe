"""Texts that say the same thing several times in a row, cut at every place and continued word for word."""

from __future__ import annotations

from collections import Counter

from agentkit._engine.seam import Echo, Overlap, Seam
from agentkit._engine.seam.scaffold import echo_quote

UNITS = {
    "word": "no, ",
    "short phrase": "ring the bell, ",
    "phrase": "and so the wind went over the water, ",
    "line": "The bell is rung again at noon.\n",
    "list item": "- one more egg\n",
    "row of a table": "| Mon | 0 | 0 |\n",
    "line of code": "    wait(100)\n",
    "two lines of code": "pin.high()\nwait(10)\n",
    "record": '{"id": 0, "value": 0}, ',
    "zero": "0, ",
    "Chinese": "\u54c8\u54c8",
    "stanza": "Oh, the lantern and the sea,\nand the wind that never ends,\nand the long road home to me.\n",
}
_LEAD = "Here is something that was said before, on another day, by someone else:\n"
_END = "And then it was over, for good.\n"


def deleted() -> tuple[Counter[tuple[str, int]], Counter[tuple[str, int]]]:
    """Cuts at which something was deleted, and all cuts, by unit and how often it is said."""
    lost: Counter[tuple[str, int]] = Counter()
    every: Counter[tuple[str, int]] = Counter()
    for name, unit in UNITS.items():
        for times in range(2, 7):
            whole = f"{_LEAD}{unit * times}{_END}"
            for cut in range(len(_LEAD) + 1, len(whole) - len(_END) + 1):
                quote = echo_quote(whole[:cut])
                for strategy in (Overlap(), Overlap() if quote is None else Echo(quote)):
                    seam = Seam(whole[:cut], strategy)
                    shown = seam.feed(whole[cut:]) + seam.close()
                    every[name, times] += 1
                    lost[name, times] += len(shown) < len(whole) - cut
    return lost, every
