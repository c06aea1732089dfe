"""`agentkit sim serve`: the simulator as a server in the foreground, until it is interrupted or terminated."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from argparse import Namespace
from typing import TYPE_CHECKING

from agentkit.cli import _codes
from agentkit.cli._codes import UsageError
from agentkit.cli._screen import Screen

if TYPE_CHECKING:
    from agentkit.sim import Simulator

HIGHEST_PORT = 65535


def serve(arguments: Namespace) -> int:
    """Serve on the loopback."""
    from agentkit.sim import Simulator

    if not 0 <= arguments.port <= HIGHEST_PORT:
        raise UsageError(f"--port must be 0 to {HIGHEST_PORT}, not {arguments.port}")
    simulator = Simulator(seed=arguments.seed, pace=arguments.pace, profile=arguments.profile)
    with contextlib.suppress(KeyboardInterrupt):  # where the loop takes no signal handlers
        asyncio.run(_serve(simulator, arguments))
    return _codes.OK


async def _serve(simulator: Simulator, arguments: Namespace) -> None:
    from agentkit.sim.server import run

    def announce(addresses: dict[str, str]) -> None:
        _announce(addresses, as_json=arguments.json)

    server = asyncio.ensure_future(run(simulator, host=arguments.host, port=arguments.port, on_ready=announce))
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await server


def _announce(addresses: dict[str, str], *, as_json: bool) -> None:
    screen = Screen()
    if as_json:
        screen.say(json.dumps(addresses))
        return
    screen.say("agentkit simulator: no AI behind this. Ctrl-C ends it.")
    width = max(map(len, addresses))
    for wire, address in addresses.items():
        screen.say(f"  {wire:<{width}} {address}")
    screen.note(f'try:  agentkit -m openai/sim --base-url {addresses["openai"]} "write 100 words"')
