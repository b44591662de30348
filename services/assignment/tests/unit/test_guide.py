"""docs/routing.md is run: each block, line by line, against the decision."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.assignment.domain.decide import decide
from services.assignment.domain.model import Agent, Model, Need, Plan, Queue, Snapshot, Ticket

GUIDE = Path(__file__).parents[4] / "docs/routing.md"
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


def span(text: str) -> timedelta:
    return timedelta(**{UNITS[text[-1]]: int(text[:-1])})


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


class Reader:
    """Knows what a block has said so far."""

    def __init__(self) -> None:
        self.queue = Queue("q")
        self.agents: dict[int, Agent] = {}
        self.tickets: dict[int, Ticket] = {}
        self.plan: Plan | None = None
        self.checked = 0

    def line(self, text: str) -> None:
        verb, *words = text.split()
        values = dict(word.partition("=")[::2] for word in words)
        match verb:
            case "queue":
                self.queue = self._queue(Model(words[0]), values)
            case "agent":
                if "weight" in values:
                    named = (*self.queue.weights, (int(words[0]), int(values.pop("weight"))))
                    self.queue = replace(self.queue, weights=named)
                self.agents[int(words[0])] = self._agent(int(words[0]), values)
            case "ticket":
                self.tickets[int(words[0])] = self._ticket(int(words[0]), values)
            case "=>":
                snapshot = Snapshot(
                    list(self.agents.values()), list(self.tickets.values()), self.queue, as_of=NOW
                )
                self.plan = decide(snapshot)
                assert [f"{d.ticket}:{d.agent or '-'}" for d in self.plan.decisions] == words
                self.checked += 1
            case "?":
                ticket, agent, code = words
                assert self.plan is not None
                codes = next(d.codes for d in self.plan.decisions if d.ticket == int(ticket))
                assert (text, codes[int(agent)]) == (text, code)
                self.checked += 1
            case "next":
                self._next()
            case _:
                raise AssertionError(f"what is `{verb}`?")

    @staticmethod
    def _queue(model: Model, values: dict[str, str]) -> Queue:
        assert values.keys() <= {
            str(model), "batch", "ageing", "sla", "trigger", "work", "most_open",
        }  # fmt: skip
        return Queue(
            "q",
            model=model,
            batch_size=int(values["batch"]) if "batch" in values else None,
            ageing_seconds=int(values["ageing"]) if "ageing" in values else None,
            use_sla="sla" in values,
            work=int(values.get("work", 1)),
            open_limit=int(values["most_open"]) if "most_open" in values else None,
            scheduled="trigger" not in values,
        )

    def _agent(self, number: int, values: dict[str, str]) -> Agent:
        known = self.agents.get(number)
        assert values.keys() <= {
            str(number), "groups", "inbox", "open", "status", "skills", "idle", "daily", "given",
            "capacity", "open_here",
        }  # fmt: skip
        return Agent(
            number,
            frozenset(numbers(values["groups"])),
            status=values.get("status", "online"),
            inbox_limit=int(values["inbox"]) if "inbox" in values else None,
            daily_limit=int(values["daily"]) if "daily" in values else None,
            assigned_12h=int(values.get("given", 0)),
            open_count=int(values.get("open", 0)),
            open_queue=int(values.get("open_here", 0)),
            capacity=int(values["capacity"]) if "capacity" in values else None,
            last_assigned_at=NOW - span(values["idle"]) if "idle" in values else None,
            skills=tuple(
                (name, int(level))
                for name, _, level in (s.partition(":") for s in values.get("skills", "").split(",") if s)
            ),
            credit=known.credit if known else 0,
        )

    @staticmethod
    def _ticket(number: int, values: dict[str, str]) -> Ticket:
        assert values.keys() <= {
            str(number), "group", "priority", "age", "needs", "declined", "dedicated", "breach",
        }  # fmt: skip
        needs = []
        for need in filter(None, values.get("needs", "").split(",")):
            skill, level, *drop = need.split(":")
            needs.append(Need(skill, int(level), int(drop[0]) if drop else None))
        return Ticket(
            number,
            NOW - span(values.get("age", "0s")),
            int(values["group"]),
            values.get("priority"),
            next_breach_at=NOW + span(values["breach"]) if "breach" in values else None,
            needs=tuple(needs),
            declined=frozenset(numbers(values["declined"])) if "declined" in values else frozenset(),
            dedicated=int(values["dedicated"]) if "dedicated" in values else None,
        )

    def _next(self) -> None:
        """What was given is the agents' now; the next run of the minute job begins."""
        assert self.plan is not None
        for decision in self.plan.assigned:
            assert decision.agent is not None
            agent = self.agents[decision.agent]
            self.agents[agent.id] = replace(
                agent,
                open_count=agent.open_count + 1,
                assigned_12h=agent.assigned_12h + 1,
                last_assigned_at=NOW,
            )
            del self.tickets[decision.ticket]
        for number, credit in self.plan.balances.items():
            self.agents[number] = replace(self.agents[number], credit=credit)


BLOCKS = re.findall(r"```routing\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_guide_is_true(block: str) -> None:
    reader = Reader()
    for line in block.splitlines():
        reader.line(line)

    assert reader.checked, "a block that checks nothing"


def test_each_model_has_an_example() -> None:
    shown = {block.split()[1] for block in BLOCKS}

    assert shown == {str(model) for model in Model}
