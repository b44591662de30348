"""The simulator as a process of its own, filled through its control API, with the CPU time that it uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

SUBDOMAIN = "acme"
GROUPS, AGENTS, REQUESTERS = 10, 200, 2_000
BATCH = 2_000
_TICKS = os.sysconf("SC_CLK_TCK")


class ServerProcess:
    """Starts the simulator on a free port and stops it.

    Attributes:
        url: its address.
        token: an admin's access token.
        tickets: ids of the tickets, the oldest first.
        waiting: ids of those that are open and nobody's.
        view: id of the view that shows those.
    """

    def __init__(self) -> None:
        self.url = ""
        self.token = ""
        self.tickets: list[int] = []
        self.waiting: list[int] = []
        self.view = 0

    def __enter__(self) -> Self:
        """Start it with people and a view.

        Raises:
            RuntimeError: it does not come up.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".json") as seed:
            json.dump(_seed(), seed)
            seed.flush()
            path = os.pathsep.join(p for p in sys.path if p)
            command = [sys.executable, "-m", "tools.zendesk_simulator", "--port", "0", "--seed", seed.name]
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
            )
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
        self.url = line.rpartition(" ")[2].strip()
        self._http = httpx2.Client(base_url=self.url or "http://nowhere", trust_env=False, timeout=120.0)
        try:
            body = {"user_id": 1, "scopes": ["read", "write"]}
            self.token = self._control("tokens", body)["access_token"]
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            self._process.kill()
            raise RuntimeError("the simulator did not come up") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self._process.terminate()
        self._process.wait(30)

    def _control(self, path: str, body: object) -> dict[str, Any]:
        answer = self._http.post(f"/_control/{SUBDOMAIN}/{path}", json=body)
        answer.raise_for_status()
        parsed: dict[str, Any] = answer.json()
        return parsed

    def fill(self, count: int, waiting: int) -> None:
        """Make tickets: solved ones, and so many that wait at the end of them.

        Args:
            count: of all tickets.
            waiting: of those that are new and nobody's.
        """
        for begin in range(0, count, BATCH):
            batch = [_ticket(n, waits=n >= count - waiting) for n in range(begin, min(count, begin + BATCH))]
            made = self._control("tickets", {"create": batch})["created"]
            self.tickets += made
        self.waiting = self.tickets[-waiting:]
        # The export never tells of the last minute.
        self._http.put("/_control/clock", json={"advance_seconds": 120}).raise_for_status()
        answer = self._http.get("/api/v2/views.json", headers={"authorization": f"Bearer {self.token}"})
        self.view = answer.json()["views"][0]["id"]

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has used, user and system."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_megabytes(self) -> float:
        """Return its memory."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _seed() -> dict[str, Any]:
    groups = [{"id": 100 + n, "name": f"Group {n}"} for n in range(GROUPS)]
    agents = [
        {"id": n, "role": "admin" if n == 1 else "agent", "name": f"Agent {n}", "groups": [100 + n % GROUPS]}
        for n in range(1, AGENTS + 1)
    ]
    people = [
        {"id": 10_000 + n, "role": "end-user", "name": f"Requester {n}", "email": f"r{n}@example.com"}
        for n in range(REQUESTERS)
    ]
    view = {
        "title": "Waiting",
        "all": [
            {"field": "status", "operator": "less_than", "value": "solved"},
            {"field": "assignee_id", "operator": "is", "value": ""},
        ],
    }
    return {
        "subdomain": SUBDOMAIN,
        "plan": "unlimited",
        "job_seconds": 0,
        "groups": groups,
        "users": agents + people,
        "views": [view],
        "ticket_fields": [{"type": "text", "title": "Setlist decision"}],
    }


def _ticket(number: int, *, waits: bool) -> dict[str, Any]:
    values: dict[str, Any] = {
        "requester_id": 10_000 + number % REQUESTERS,
        "group_id": 100 + number % GROUPS,
        "subject": f"Ticket {number}",
        "imported": True,
    }
    if not waits:
        agent = number % AGENTS + 1
        values |= {"status": "solved", "assignee_id": agent, "group_id": 100 + agent % GROUPS}
    return values
