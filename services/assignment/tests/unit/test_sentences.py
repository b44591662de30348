"""A ticket that waits says why, and what would free it."""

from __future__ import annotations

import pytest

from services.assignment.domain.model import Code, Decision, Outcome
from services.assignment.domain.sentences import sentences

ASKED = [code for code in Code if code is not Code.CHOSEN and not code.startswith("LOST_")]


@pytest.mark.parametrize("code", ASKED)
def test_every_reason_has_its_sentence(code: Code) -> None:
    one = sentences(Decision(1, Outcome.WAITING_NO_ELIGIBLE_AGENT, 1, codes={7: code}))
    two = sentences(Decision(1, Outcome.WAITING_NO_ELIGIBLE_AGENT, 1, codes={7: code, 8: code}))

    assert len(one) == len(two) == 2
    assert one[1].startswith("1 agent")
    assert two[1].startswith("2 agents")
    assert not one[1].endswith(".")


def test_what_frees_by_itself_comes_first() -> None:
    codes = {1: Code.NOT_IN_GROUP, 2: Code.INBOX_LIMIT, 3: Code.INBOX_LIMIT}

    found = sentences(Decision(1, Outcome.WAITING_ALL_FULL, 1, codes=codes))

    assert found[0] == "everybody who may take it is full"
    assert found[1].startswith("2 agents are at the inbox limit")
    assert found[2].startswith("1 agent is not in the ticket's group")


def test_closed_queues_unknown_agents_and_free_ones_say_so() -> None:
    assert "schedule" in sentences(Decision(1, Outcome.QUEUE_CLOSED, 1))[0]
    assert "sync" in sentences(Decision(1, Outcome.WAITING_NO_ELIGIBLE_AGENT, 1))[0]
    assert "`7`" in sentences(Decision(1, Outcome.OFFERED, 1, agent=7, codes={7: Code.CHOSEN}))[0]
