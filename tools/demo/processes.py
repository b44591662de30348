"""Starts the suite's processes and stops exactly those again."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1


class StartError(Exception):
    """A part did not come up; the message names it and says what it printed last."""


def require_free_port(name: str, host: str, port: int) -> None:
    """Refuse a port that somebody else holds.

    Raises:
        StartError: the port is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise StartError(
                f"port {port} for {name} is taken: stop what listens there or use --port-offset"
            ) from None


def _die_with_parent() -> None:
    """Ask Linux to end this child when the demo is killed; elsewhere there is no such promise."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(slots=True)
class Running:
    """One started process."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    def tail(self, lines: int = 5) -> str:
        """Return the last lines that the process printed."""
        text = self.log.read_text(errors="replace").strip().splitlines()
        return "\n".join(text[-lines:])


class Processes:
    """The processes of one run, stopped in reverse order of their start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Running] = []

    async def start(self, name: str, module: str, *arguments: str, environment: Mapping[str, str]) -> Running:
        """Start `python -m module arguments` with this interpreter and its search path."""
        log = self._folder / f"{name}.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self._folder,
                env={**_own_environment(), **environment},
                preexec_fn=_die_with_parent,
                start_new_session=True,
            )
        running = Running(name, process, log)
        self._running.append(running)
        return running

    async def run(self, name: str, module: str, *arguments: str, environment: Mapping[str, str]) -> None:
        """Run a program to its end.

        Raises:
            StartError: it ended with another code than 0.
        """
        running = await self.start(name, module, *arguments, environment=environment)
        code = await running.process.wait()
        self._running.remove(running)
        if code != 0:
            raise StartError(f"`{name}` ended with code {code}:\n{running.tail()}")

    async def wait_for_port(self, running: Running, host: str, port: int) -> None:
        """Wait until the process accepts connections.

        Raises:
            StartError: it ended, or did not listen in time.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + _START_SECONDS
        while loop.time() < end:
            if running.process.returncode is not None:
                raise StartError(
                    f"{running.name} ended with code {running.process.returncode}:\n{running.tail()}"
                )
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
        raise StartError(
            f"{running.name} did not listen on port {port} in {_START_SECONDS:.0f} s:\n{running.tail()}"
        )

    def dead(self) -> Running | None:
        """Return a process that ended although nobody stopped it."""
        return next((r for r in self._running if r.process.returncode is not None), None)

    async def stop(self) -> list[str]:
        """Stop everything, last started first; return a sentence for each that did not end cleanly."""
        troubles = []
        for running in reversed(self._running):
            if running.process.returncode is None:
                running.process.send_signal(signal.SIGTERM)
        for running in reversed(self._running):
            try:
                code = await asyncio.wait_for(running.process.wait(), _STOP_SECONDS)
            except TimeoutError:
                running.process.kill()
                await running.process.wait()
                troubles.append(f"{running.name} did not stop in {_STOP_SECONDS:.0f} s and was killed")
                continue
            if code != 0:
                troubles.append(f"{running.name} ended with code {code}: see {running.log}")
        self._running.clear()
        return troubles


def _own_environment() -> dict[str, str]:
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LANG", "TMPDIR", "TEST_POSTGRES_BIN")
        if name in os.environ
    }
    # whole, for a process starts in a folder of its own; an empty entry means the present one
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - `resolve` would follow links
    return {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
