"""Starts the demo as a person does, on ports of its own, and stops it by its own process id."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.demo.house import EDGE, HEALTH, HOST, SERVICES, SIMULATOR

START_SECONDS = 400.0


def free_offset() -> int:
    """Return an offset at which every port of the suite is free."""
    usual = [*SERVICES.values(), *(p + HEALTH for p in SERVICES.values()), EDGE, SIMULATOR]
    for _ in range(100):
        offset = 1000 + secrets.randbelow(20_000)
        if all(_free(port + offset) for port in usual):
            return offset
    raise AssertionError("no free ports")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


class DemoProcess:
    """One run of the demo.

    Args:
        work: its work folder.
        arguments: words after the command.
        offset: of its ports.
    """

    def __init__(self, work: Path, *arguments: str, offset: int | None = None) -> None:
        self.work = work
        self.offset = free_offset() if offset is None else offset
        command = [sys.executable, "-m", "tools.demo.main", *arguments]
        command += ["--work", str(work), "--port-offset", str(self.offset)]
        path = os.pathsep.join(p for p in sys.path if p)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def wait(self, seconds: float = START_SECONDS) -> tuple[int, str]:
        """Return exit code and output once it has ended."""
        output, _ = self._process.communicate(timeout=seconds)
        return self._process.returncode, output

    def wait_for(self, path: Path, seconds: float = START_SECONDS) -> None:
        """Wait until a file is there."""
        end = time.monotonic() + seconds
        while not path.exists():
            if self._process.poll() is not None:
                raise AssertionError(f"the demo ended early: {self.wait()}")
            assert time.monotonic() < end, f"`{path}` did not appear"
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the demo itself."""
        self._process.send_signal(number)

    def stop(self) -> tuple[int, str]:
        """Ask it to end, and kill it if it does not."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def children(self) -> list[int]:
        """Return processes that work in its folder."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "cwd").resolve().is_relative_to(self.work):
                    found.append(int(entry.name))
        return found


def kept(work: Path, summary: Path) -> Iterator[tuple[DemoProcess, dict[str, Any]]]:
    """Run the demo with --keep until the caller is done; it must then end cleanly and leave no process."""
    demo = DemoProcess(work, "--keep", "--json", str(summary))
    try:
        demo.wait_for(summary)
        yield demo, json.loads(summary.read_text())
    except BaseException:
        demo.stop()
        raise
    code, output = demo.stop()
    assert code == 0, output
    assert demo.children() == []
