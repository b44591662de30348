"""What goes wrong says so in one sentence, ends with a code, and leaves nothing half-written."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.e2e.demo_process import DemoProcess, free_offset
from tools.demo.house import HOST, SERVICES

pytestmark = pytest.mark.e2e


def test_a_taken_port_is_named(folder: Path) -> None:
    offset = free_offset()
    with socket.socket() as taken:
        taken.bind((HOST, SERVICES["policy"] + offset))
        taken.listen()
        code, output = DemoProcess(folder / "taken", offset=offset).wait(60)
    assert code == 1
    assert f"port {SERVICES['policy'] + offset} for policy is taken" in output


def test_a_malformed_log_is_named_by_file_line_and_column(folder: Path) -> None:
    log = folder / "log"
    log.mkdir()
    (log / "tickets.csv").write_text(
        "ticket,opened_at,caller,priority,first_group,first_group_at,first_agent_at,resolved_at\n"
        "1,yesterday,7,3,1,,,\n"
    )
    (log / "memberships.csv").write_text("group,agent,first_at\n1,1,2026-01-05T08:00\n")
    code, output = DemoProcess(
        folder / "malformed", "--log", str(log), "--json", str(folder / "no.json")
    ).wait(60)
    assert code == 1
    assert "`tickets.csv` line 2" in output
    assert "`yesterday`" in output
    assert not (folder / "no.json").exists()


def test_a_killed_demo_leaves_nothing_and_starts_again(folder: Path) -> None:
    work = folder / "killed"
    first = DemoProcess(work)
    first.wait_for(work / "assignment.log")
    first.signal(signal.SIGKILL)
    first.wait(60)
    (work / "assignment.log").unlink()
    again = DemoProcess(work, offset=first.offset)
    again.wait_for(work / "assignment.log")
    again.signal(signal.SIGINT)
    code, output = again.wait(60)
    assert code == 130, output
    assert "stopped" in output
    assert again.children() == []
    assert not (work / "postgres").exists()


def test_one_folder_holds_one_demo(folder: Path) -> None:
    work = folder / "one"
    first = DemoProcess(work)
    try:
        first.wait_for(work / "clock")
        code, output = DemoProcess(work).wait(60)
    finally:
        first.stop()
    assert code == 1
    assert "another demo runs in" in output
