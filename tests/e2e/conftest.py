"""One played day for every test of this folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.demo_process import DemoProcess, kept


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that `nobody` may enter: PostgreSQL runs as `nobody` when we are root."""
    path = Path(tempfile.mkdtemp(prefix="setlist-e2e-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def running(folder: Path) -> Iterator[tuple[DemoProcess, dict[str, Any]]]:
    """A demo that has played its day and is left running, with its summary."""
    yield from kept(folder / "kept", folder / "summary.json")


@pytest.fixture(scope="session")
def summary(running: tuple[DemoProcess, dict[str, Any]]) -> dict[str, Any]:
    """The summary of the played day, with its `connection`."""
    return running[1]
