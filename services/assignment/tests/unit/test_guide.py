"""docs/routing.md is run: each block, line by line, against the decision."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.assignment.app.pulling import as_asked
from services.assignment.domain.decide import decide
from services.assignment.domain.lately import Lately
from services.assignment.domain.limits import limit_of
from services.assignment.domain.model import Agent, Model, Need, Plan, Queue, Snapshot, Ticket
from services.assignment.domain.same_agent import Anchor, Criteria, Earlier, Facts, Match, same_agent
from services.assignment.domain.shifts import Kind, ShiftException, back_at, off_shift

GUIDE = Path(__file__).parents[4] / "docs/routing.md"
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


def span(text: str) -> timedelta:
    return timedelta(**{UNITS[text[-1]]: int(text[:-1])}) if text != "0" else timedelta(0)


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


class Reader:
    """Knows what a block has said so far."""

    def __init__(self) -> None:
        self.queue = Queue("q")
        self.agents: dict[int, Agent] = {}
        self.tickets: dict[int, Ticket] = {}
        self.plan: Plan | None = None
        self.now = NOW
        self.lately = Lately()
        self.exceptions: list[ShiftException] = []
        self.resting: set[int] = set()
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
                self.plan = decide(self._snapshot())
                assert [f"{d.ticket}:{d.agent or '-'}" for d in self.plan.decisions] == words
                self.checked += 1
            case "?":
                ticket, agent, code = words
                assert self.plan is not None
                codes = next(d.codes for d in self.plan.decisions if d.ticket == int(ticket))
                assert (text, codes[int(agent)]) == (text, code)
                self.checked += 1
            case "pull":
                self._pull(*words)
                self.checked += 1
            case "next":
                self._next(span(words[0]) if words else timedelta(0))
            case "back":
                who, when = words
                assert (text, self._back(int(who))) == (text, self.now + span(when))
                self.checked += 1
            case _:
                raise AssertionError(f"what is `{verb}`?")

    @staticmethod
    def _queue(model: Model, values: dict[str, str]) -> Queue:
        assert values.keys() <= {
            str(model), "batch", "ageing", "sla", "trigger", "work", "most_open", "interruptible", "rate",
            "pull_only",
        }  # fmt: skip
        rate = limit_of(values.get("rate", "").replace("in", " in "))
        return Queue(
            "q",
            model=model,
            rate_limit=rate.most if rate else None,
            rate_minutes=rate.minutes if rate else None,
            batch_size=int(values["batch"]) if "batch" in values else None,
            ageing_seconds=int(values["ageing"]) if "ageing" in values else None,
            use_sla="sla" in values,
            work=int(values.get("work", 1)),
            interruptible="interruptible" in values,
            pull_only="pull_only" in values,
            open_limit=int(values["most_open"]) if "most_open" in values else None,
            scheduled="trigger" not in values,
        )

    def _agent(self, number: int, values: dict[str, str]) -> Agent:
        known = self.agents.get(number)
        assert values.keys() <= {
            str(number), "groups", "inbox", "open", "status", "skills", "idle", "daily", "given",
            "capacity", "open_here", "load", "may_wait", "rate", "leave", "overtime", "rests",
        }  # fmt: skip
        for kind in Kind:
            if kind in values:
                start, _, end = values[kind].partition("..")
                stretch = ShiftException(number, self.now + span(start), self.now + span(end), kind)
                self.exceptions.append(stretch)
        if "rests" in values:
            self.resting.add(number)
        rate = limit_of(values.get("rate", "").replace("in", " in "))
        return Agent(
            number,
            rate_limit=rate.most if rate else None,
            rate_minutes=rate.minutes if rate else None,
            groups=frozenset(numbers(values["groups"])),
            status=values.get("status", "online"),
            inbox_limit=int(values["inbox"]) if "inbox" in values else None,
            daily_limit=int(values["daily"]) if "daily" in values else None,
            assigned_12h=int(values.get("given", 0)),
            open_count=int(values.get("open", 0)),
            open_queue=int(values.get("open_here", 0)),
            capacity=int(values["capacity"]) if "capacity" in values else None,
            load=int(values.get("load", 0)),
            interruptible=int(values.get("may_wait", 0)),
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
            str(number), "group", "priority", "age", "needs", "declined", "dedicated", "breach", "had",
        }  # fmt: skip
        needs = []
        for need in filter(None, values.get("needs", "").split(",")):
            skill, level, *rest = need.split(":")
            drop = [int(one) for one in rest if "=" not in one]
            steps = tuple((int(a), int(b)) for a, _, b in (one.partition("=") for one in rest if "=" in one))
            needs.append(Need(skill, int(level), drop[0] if drop else None, steps))
        return Ticket(
            number,
            NOW - span(values.get("age", "0s")),
            int(values["group"]),
            values.get("priority"),
            next_breach_at=NOW + span(values["breach"]) if "breach" in values else None,
            needs=tuple(needs),
            declined=frozenset(numbers(values["declined"])) if "declined" in values else frozenset(),
            dedicated=int(values["dedicated"]) if "dedicated" in values else None,
            preferred=int(values["had"]) if "had" in values else None,
        )

    def _snapshot(self) -> Snapshot:
        off = off_shift(self.resting, self.exceptions, self.now)
        agents = [
            replace(
                agent,
                off_shift=agent.id in off,
                assigned_rate=self.lately.of(agent.id, agent.rate_minutes, self.now),
                assigned_rate_queue=self.lately.of(agent.id, self.queue.rate_minutes, self.now),
            )
            for agent in self.agents.values()
        ]
        return Snapshot(agents, list(self.tickets.values()), self.queue, as_of=self.now)

    def _back(self, agent: int) -> datetime | None:
        mine = [one for one in self.exceptions if one.agent == agent]
        return back_at(mine, self.now, rests=lambda _: agent in self.resting, opens=lambda _: None)

    def _pull(self, who: str, ticket: str) -> None:
        """An agent asks: alone, and for one ticket."""
        snapshot, agent = as_asked(self._snapshot()), self.agents[int(who)]
        given = decide(replace(snapshot, agents=[a for a in snapshot.agents if a.id == agent.id])).assigned[
            :1
        ]
        assert (who, [str(d.ticket) for d in given] or ["-"]) == (who, [ticket])
        for decision in given:
            self.agents[agent.id] = replace(agent, open_count=agent.open_count + 1)
            del self.tickets[decision.ticket]

    def _next(self, later: timedelta) -> None:
        """What was given is the agents' now; the next run of the minute job begins, or one that much later."""
        assert self.plan is not None
        for decision in self.plan.assigned:
            assert decision.agent is not None
            agent = self.agents[decision.agent]
            self.agents[agent.id] = replace(
                agent,
                open_count=agent.open_count + 1,
                assigned_12h=agent.assigned_12h + 1,
                last_assigned_at=self.now,
            )
            self.lately.give(agent.id, self.queue.id, self.now)
            del self.tickets[decision.ticket]
        for number, credit in self.plan.balances.items():
            self.agents[number] = replace(self.agents[number], credit=credit)
        self.now += later


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


class SameAgentReader:
    """Knows what a block about the same agent has said so far."""

    def __init__(self) -> None:
        self.window, self.anchor = 0, Anchor.OLDEST
        self.criteria, self.new = Criteria(), Facts()
        self.earlier: list[tuple[Earlier, Facts]] = []
        self.checked = 0

    def line(self, text: str) -> None:
        verb, *words = text.split()
        match verb:
            case "window":
                self.window = span(words[0]) // timedelta(hours=1)
                self.anchor = Anchor(words[1]) if len(words) > 1 else Anchor.OLDEST
            case "match":
                self.criteria = replace(self.criteria, match=tuple(Match(word) for word in words))
            case "tags" | "excluded_tags" | "channels" | "priorities":
                asked: dict[str, Any] = {verb: tuple(words)}
                self.criteria = replace(self.criteria, **asked)
            case "new":
                self.new = self._facts(words)
            case "earlier":
                agent = None if words[0] == "-" else int(words[0])
                self.earlier.append((Earlier(NOW - span(words[1]), agent), self._facts(words[2:])))
            case "=>":
                counted = [one for one, facts in self.earlier if self.criteria.count(facts, self.new)]
                found = same_agent(counted, NOW, self.window, self.anchor)
                found = found if self.criteria.admit(self.new) else None
                assert (text, str(found or "-")) == (text, words[0])
                self.checked += 1
            case _:
                raise AssertionError(f"what is `{verb}`?")

    @staticmethod
    def _facts(words: list[str]) -> Facts:
        values: dict[str, Any] = {}
        for name, _, value in (word.partition("=") for word in words):
            numeric = name in ("group", "brand", "form")
            values[name] = int(value) if numeric else frozenset(value.split(",")) if name == "tags" else value
        return Facts(**values)


@pytest.mark.parametrize(
    "block", re.findall(r"```same-agent\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
)
def test_the_guide_is_true_about_the_same_agent(block: str) -> None:
    reader = SameAgentReader()
    for line in block.splitlines():
        reader.line(line)

    assert reader.checked, "a block that checks nothing"
