"""The control API and the command line: seeds, clock, settings, what they refuse and in which words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tools.zendesk_simulator.clock import OwnClock
from tools.zendesk_simulator.seed import read_seed
from tools.zendesk_simulator.server import build_app
from tools.zendesk_simulator.state import World
from tools.zendesk_simulator.tests.machine import ADMIN, Machine, Receiver, served

YAML = """
- subdomain: acme
  plan: enterprise
  job_seconds: 0
  groups: [{id: 20, name: Support}]
  users:
    - {id: 1, role: admin, name: Ada, email: ada@example.com, groups: [20]}
    - {id: 3, role: end-user, name: Cy}
  tickets:
    - {requester_id: 3, subject: help}
- subdomain: other
"""


async def test_the_own_clock_is_set_moved_and_stopped() -> None:
    world = World(OwnClock())
    async with served(build_app(world)) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as http:

        async def put(**body: Any) -> dict[str, Any]:
            answer = await http.put("/_control/clock", json=body)
            return dict(answer.json())

        frozen = await put(frozen=True, now="2026-01-05T09:00:00Z")
        assert frozen == {"now": "2026-01-05T09:00:00Z", "frozen": True}
        assert (await put(advance_seconds=90))["now"] == "2026-01-05T09:01:30Z"
        assert world.clock.now() == datetime(2026, 1, 5, 9, 1, 30, tzinfo=UTC)
        running = await put(frozen=False)
        assert running["frozen"] is False
        assert world.clock.now() - datetime(2026, 1, 5, 9, 1, 30, tzinfo=UTC) < timedelta(minutes=1)
        assert "no time zone" in (await put(now="2026-01-05T09:00:00"))["error"]


async def test_a_clock_that_is_shared_is_not_moved_here(machine: Machine) -> None:
    answer = await machine.control("PUT", "/clock", {"now": "2026-01-05T09:00:00Z"})

    assert answer.status_code == 409
    assert "shared with the suite" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/accounts", {"subdomain": "x", "plan": "golden"}, 422, "`golden` is no plan"),
        ("POST", "/accounts", {"plan": "team"}, 404, "there is no `subdomain`"),
        ("POST", "/accounts", {"subdomain": "x", "oauth_clients": ["theirs"]}, 404, "theirs"),
        ("GET", "/nobody/dump", None, 404, "there is no `nobody`"),
        ("POST", "tokens", {"user_id": 999}, 404, "there is no `999`"),
        ("POST", "tokens", {}, 404, "there is no `user_id`"),
        ("PUT", "", {"plan": "golden"}, 422, "a plan is one of team"),
        ("PUT", "", {"regime": "golden"}, 422, "a regime is one of enforced, legacy"),
        ("GET", "faults/7", None, 404, "there is no `7`"),
        ("POST", "tickets", {"create": [{"requester_id": 999}]}, 422, "requester"),
        ("POST", "signed_url", {"installation_id": 5, "user_id": 1}, 404, "there is no `5`"),
    ],
)
async def test_wrong_input_is_answered_in_a_sentence(
    machine: Machine, method: str, path: str, body: object, status: int, words: str
) -> None:
    answer = await machine.control(method, path, body)

    assert answer.status_code == status
    assert words in json.dumps(answer.json())


async def test_requests_are_counted_and_the_last_ones_logged(machine: Machine) -> None:
    await machine.call("GET", "groups")
    await machine.call("GET", "users/999")
    await machine.call("GET", "groups", token="dead")

    counts = (await machine.control("GET", "requests")).json()
    log = (await machine.control("GET", "requests?log=true")).json()["requests"]

    assert (counts["GET groups"], counts["GET users/{id:int}"]) == (2, 1)
    assert [(r["method"], r["path"], r["status"]) for r in log] == [
        ("GET", "groups", 200),
        ("GET", "users/999", 404),
        ("GET", "groups", 401),
    ]


async def test_an_accounts_settings_are_told_and_changed(machine: Machine) -> None:
    assert (await machine.control("GET", "")).json()["plan"] == "unlimited"

    changed = (await machine.control("PUT", "", {"plan": "trial", "job_seconds": 7})).json()

    assert (changed["plan"], changed["job_seconds"], changed["regime"]) == ("trial", 7, "enforced")


async def test_quiet_waits_for_what_is_on_its_way(machine: Machine, receiver: Receiver) -> None:
    await machine.webhook(receiver.url)
    for _ in range(20):
        await machine.ticket()

    await machine.quiet()

    assert len(receiver.bodies) == 20


def test_a_seed_is_yaml_or_json_and_one_account_or_several(tmp_path: Path) -> None:
    path = tmp_path / "seed"
    path.write_text(YAML)
    assert [spec["subdomain"] for spec in read_seed(path)] == ["acme", "other"]
    path.write_text('{"subdomain": "one"}')
    assert [spec["subdomain"] for spec in read_seed(path)] == ["one"]
    for text in ("", "[]", "5", "- plan: team", "{", "a: b: c"):
        path.write_text(text)
        with pytest.raises(ValueError):
            read_seed(path)


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the simulator as a person does, and stop it."""
    path = os.pathsep.join(p for p in sys.path if p)
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.zendesk_simulator", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def address(process: subprocess.Popen[str]) -> str:
    """Return where it listens."""
    assert process.stdout is not None
    return process.stdout.readline().rpartition(" ")[2].strip()


def test_the_command_starts_from_a_seed_an_event_log_or_a_snapshot(tmp_path: Path) -> None:
    seed, events, snapshot = tmp_path / "seed.yaml", tmp_path / "events.jsonl", tmp_path / "snapshot.json"
    seed.write_text(YAML)
    events.write_text('{"at": "2026-01-01T09:00:00Z", "create": {"requester_id": 3, "subject": "old"}}\n')
    with command("--seed", str(seed), "--events", str(events)) as process:
        url = address(process)
        answer = httpx2.get(f"{url}/_control/acme/dump", trust_env=False)
        tickets = answer.json()["tickets"]
        assert [t["subject"] for t in tickets] == ["help", "old"]
        assert tickets[1]["created_at"] == "2026-01-01T09:00:00Z"
        assert "date" in httpx2.get(f"{url}/api/v2/users/me.json", trust_env=False).headers
        snapshot.write_bytes(httpx2.get(f"{url}/_control/snapshot", trust_env=False).content)
    with command("--snapshot", str(snapshot)) as process:
        url = address(process)
        again = httpx2.get(f"{url}/_control/acme/dump", trust_env=False).json()["tickets"]
    assert again == tickets


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--plan", "golden"), "unknown plan `golden`"),
        (("--seed", "/nowhere.yaml"), "`/nowhere.yaml` cannot be used"),
        (("--snapshot", "/dev/null"), "`/dev/null` cannot be used"),
    ],
)
def test_what_the_command_cannot_use_is_named(arguments: tuple[str, ...], words: str) -> None:
    with command(*arguments) as process:
        _, told = process.communicate(timeout=60)

    assert process.returncode == 2
    assert words in told


async def test_an_admin_of_one_account_is_nobody_in_another(machine: Machine) -> None:
    await machine.control("POST", "/accounts", {"subdomain": "other"})
    token = await machine.token(ADMIN)

    answer = await machine.http.get(
        "/_accounts/other/api/v2/groups.json", headers={"authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 401
    assert (await machine.http.get("/_accounts/nobody/api/v2/groups.json")).status_code == 404
