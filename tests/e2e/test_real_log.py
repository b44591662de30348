"""A day of real tickets: the UCI incident log, read by path and never committed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.e2e.demo_process import DemoProcess

pytestmark = pytest.mark.e2e


def test_a_real_day_is_played_whole(folder: Path) -> None:
    log = Path(os.environ.get("SHARED_DATA", "/nonexistent")) / "uci-incidents"
    if not log.is_dir():
        pytest.skip(
            "the real log is no part of the repository: `SHARED_DATA` names no folder with `uci-incidents`"
        )
    out = folder / "real.json"
    code, output = DemoProcess(folder / "real", "--log", str(log), "--days", "1", "--json", str(out)).wait()
    assert code == 0, output
    summary = json.loads(out.read_text())
    assert summary["tickets_in"] > 10
    assert summary["assigned"] + summary["waiting"] == summary["tickets_in"]
    assert (summary["assigned_twice"], summary["waiting_with_free_agent"]) == (0, 0)
    assert summary["erasure"]["state"].startswith("COMPLETED")
