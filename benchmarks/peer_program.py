"""A program that has what we do not import, in a process of its own: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self


class PeerProgram:
    """A started program, asked one question at a time.

    Args:
        program: a PEX, as a file or as a folder.
        arguments: of its command line.
    """

    def __init__(self, program: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send one line and return the answer.

        Raises:
            RuntimeError: it ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the peer's program ended: what it said is above")
        answer: dict[str, Any] = json.loads(line)
        return answer
