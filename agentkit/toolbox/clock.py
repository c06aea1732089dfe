"""The time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import field, frozen

from agentkit.errors import InvalidInput
from agentkit.tools import AnyTool, tool


def _now(zone: tzinfo | None) -> datetime:
    return datetime.now(zone).astimezone(zone)


@frozen(kw_only=True)
class Clock:
    """A clock."""

    now: Callable[[tzinfo | None], datetime] = field(default=_now)
    """The time in a zone; in that of this machine where none is given."""

    def tools(self) -> list[AnyTool]:
        """The one tool `current_time`."""
        return [tool(rerun="rerun")(self.current_time)]

    def current_time(
        self, zone: Annotated[str | None, "such as Europe/Oslo; the user's own where it is left out"] = None
    ) -> str:
        """The current date and time, with the day of the week."""
        return self.now(None if zone is None else _zone(zone)).strftime("%A, %Y-%m-%d %H:%M:%S %Z (UTC%z)")


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"there is no time zone {name!r}; such as Europe/Oslo, America/New_York, UTC") from None
