"""What is asked: one kind of request each, and the mix that our services send."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from benchmarks.zendesk_simulator.load import Ask, Scenario
from benchmarks.zendesk_simulator.server_process import AGENTS, GROUPS, ServerProcess

SHOWN = 12


class Asks:
    """Makes requests of each kind.

    Args:
        server: filled.
        seed: of the tickets that are asked for.
    """

    def __init__(self, server: ServerProcess, seed: int = 1) -> None:
        self._server = server
        self._dice = random.Random(seed)

    def show(self) -> Ask:
        """One ticket."""
        return Ask("GET", f"/api/v2/tickets/{self._dice.choice(self._server.tickets)}.json")

    def show_many(self) -> Ask:
        """A few tickets, as before a write."""
        ids = ",".join(map(str, self._dice.sample(self._server.tickets, SHOWN)))
        return Ask("GET", f"/api/v2/tickets/show_many.json?ids={ids}")

    def page(self) -> Ask:
        """A page of all tickets."""
        return Ask("GET", "/api/v2/tickets.json?page[size]=100")

    def update(self) -> Ask:
        """An assignment by safe update."""
        agent = self._dice.randrange(1, AGENTS + 1)
        values = {
            "assignee_id": agent,
            "group_id": 100 + agent % GROUPS,
            "status": self._dice.choice(("open", "pending")),
            "safe_update": True,
            "updated_stamp": "2099-01-01T00:00:00Z",
        }
        return Ask(
            "PUT", f"/api/v2/tickets/{self._dice.choice(self._server.tickets)}.json", {"ticket": values}
        )

    def create(self) -> Ask:
        """A new ticket."""
        requester, group = 10_000 + self._dice.randrange(2000), 100 + self._dice.randrange(GROUPS)
        ticket = {"subject": "help", "comment": {"body": "x"}, "requester_id": requester, "group_id": group}
        return Ask("POST", "/api/v2/tickets.json", {"ticket": ticket})

    def view(self) -> Ask:
        """A page of a queue's view."""
        return Ask("GET", f"/api/v2/views/{self._server.view}/tickets.json?page[size]=100")

    def count(self) -> Ask:
        """How many tickets a view has."""
        return Ask("GET", f"/api/v2/views/{self._server.view}/count.json")

    def search(self) -> Ask:
        """The new tickets of a group."""
        group = 100 + self._dice.randrange(GROUPS)
        return Ask("GET", f"/api/v2/search.json?query=type:ticket%20status:new%20group:{group}")

    def export(self) -> Ask:
        """A page of the incremental export."""
        return Ask("GET", "/api/v2/incremental/tickets/cursor.json?start_time=1000000000&per_page=1000")

    def user(self) -> Ask:
        """An agent."""
        return Ask("GET", f"/api/v2/users/{self._dice.randrange(1, AGENTS + 1)}.json")

    def mix(self, number: int) -> list[Ask]:
        """What our services send.

        For each ticket that is assigned: it is read with others and written; others come in; now and then a person
        is looked up and the queue's view read. The exports of a minute job are few and are left out.
        """
        turns = (
            self.show_many,
            self.update,
            self.show_many,
            self.update,
            self.show,
            self.create,
            self.user,
            self.update,
            self.show_many,
            self.view,
        )
        return [turns[n % len(turns)]() for n in range(number)]


def scenarios(server: ServerProcess) -> Mapping[str, Scenario]:
    """Return every scenario by name."""
    asks = Asks(server)
    kinds = (
        asks.show,
        asks.show_many,
        asks.page,
        asks.update,
        asks.create,
        asks.user,
        asks.view,
        asks.count,
        asks.search,
        asks.export,
    )
    return {"mix": asks.mix, **{kind.__name__: _repeated(kind) for kind in kinds}}


def _repeated(kind: Callable[[], Ask]) -> Scenario:
    return lambda number: [kind() for _ in range(number)]
