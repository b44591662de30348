"""How a check fails."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


class CheckFailedError(Exception):
    """A check found faults; the text is the tool's report."""


def run_tool(arguments: Sequence[str | Path], root: Path) -> str:
    """Runs a tool at `root` and returns what it printed.

    Raises:
        CheckFailedError: with all that the tool printed, when its exit code is not 0.
    """
    result = subprocess.run(  # noqa: S603 - fixed commands of pinned tools
        [str(argument) for argument in arguments],
        cwd=root,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if result.returncode != 0:
        raise CheckFailedError(result.stdout.strip() or f"exit code {result.returncode}")
    return result.stdout


def script(name: str) -> Path:
    """Where a pinned package installed its executable `name`.

    Raises:
        CheckFailedError: it is not there.
    """
    path = Path(sys.prefix) / "bin" / name
    if not path.is_file():
        raise CheckFailedError(f"`{name}` is not installed beside this Python")
    return path
