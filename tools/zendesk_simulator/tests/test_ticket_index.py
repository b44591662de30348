"""The index of the search finds what a look at every ticket finds."""

from __future__ import annotations

import random

import pytest

from libs.kernel.clock import ManualClock
from tools.zendesk_simulator.resources.ticket_trash import trash
from tools.zendesk_simulator.resources.tickets import create, update
from tools.zendesk_simulator.search_query import matcher
from tools.zendesk_simulator.seed import seed_account
from tools.zendesk_simulator.state import Account, World
from tools.zendesk_simulator.ticket_index import candidates

AGENTS, GROUPS, REQUESTERS = (1, 2, 3), (20, 21), (30, 31)
QUERIES = [
    "status:new",
    "status:new status:open",
    "status<solved",
    "status>=pending status<solved",
    "-status:new",
    "group:20 status:open",
    "group:none",
    "group:Support",
    "group:Support group:21",
    "group:21 group:Support",
    "assignee:none requester:30",
    "assignee:me",
    "assignee:2 assignee:3 -group:20",
    "assignee:ada",
    "requester:31 priority:high",
    "word status:new",
    "status:explode",
    "status:deleted",
    "type:ticket",
    "",
]


def busy(dice: random.Random) -> Account:
    """Return an account in which everything has changed a few times."""
    world = World(ManualClock())
    seed_account(
        world,
        {
            "subdomain": "acme",
            "groups": [{"id": 20, "name": "Support"}, {"id": 21, "name": "Billing"}],
            "users": [{"id": i, "role": "admin", "name": "Ada", "groups": GROUPS} for i in AGENTS]
            + [{"id": i, "role": "end-user", "name": f"R{i}"} for i in REQUESTERS],
        },
    )
    account = world.accounts["acme"]
    for _ in range(80):
        create(account, {"requester_id": dice.choice(REQUESTERS), "subject": "a word"}, 1)
    return account


def change(account: Account, dice: random.Random) -> None:
    """Change some tickets."""
    living = [t for t in account.tickets.values() if t["status"] not in ("deleted", "closed")]
    for row in dice.sample(living, 30):
        group = dice.choice((*GROUPS, None))
        values = {
            "status": dice.choice(("new", "open", "pending", "hold", "solved", "closed")),
            "group_id": group,
            "assignee_id": dice.choice((*AGENTS, None)) if group else None,
            "priority": dice.choice(("low", "high")),
        }
        update(account, row, values, 1)
    trash(account, living[0], 1)


@pytest.mark.parametrize("query", QUERIES)
def test_no_ticket_that_fits_is_left_out(query: str) -> None:
    dice = random.Random(7)
    account = busy(dice)
    fits = matcher(account, query, 2)

    for _ in range(4):
        expected = [i for i, t in sorted(account.tickets.items()) if fits("ticket", t)]
        ids = candidates(account, query, 2)
        among = sorted(account.tickets) if ids is None else ids
        assert [i for i in among if fits("ticket", account.tickets[i])] == expected
        change(account, dice)


def test_it_narrows_where_it_can() -> None:
    account = busy(random.Random(7))
    change(account, random.Random(8))

    narrowed = candidates(account, "status:open group:20", 2)

    assert narrowed is not None
    assert 0 < len(narrowed) < 30
    assert candidates(account, "group:Support", 2) is None
