"""A staffing what-if: the formulas, and beside them the simulation with the code that decides."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.assignment.domain.erlang import Staffing as Figures
from services.assignment.domain.erlang import erlang_a, erlang_c
from services.assignment.domain.history import Arrival, Change, History, Rules
from services.assignment.domain.model import Agent, Queue, Ticket
from services.assignment.domain.played import Played, play
from tools.replay.config import Staffing

_START = datetime(2026, 1, 5, tzinfo=UTC)
_TEAM = 1


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One number of agents; waits of the formula in minutes.

    Attributes:
        formula: None where too few agents would let the queue grow for ever.
        model: `Erlang-C`, or `Erlang-A` with patience.
    """

    agents: int
    model: str
    formula: Figures | None
    played: Played


def what_if(staffing: Staffing, seed: int = 1) -> Iterator[WhatIf]:
    """Yield each number of agents with its formula and its simulation; the same tickets for all."""
    arrivals = staffing.arrivals_per_hour / 60
    service = 1 / staffing.work_minutes
    for agents in staffing.agents:
        formula = None
        if staffing.patience_minutes is not None:
            formula = erlang_a(agents, arrivals, service, staffing.patience_minutes)
        elif arrivals / service < agents:
            formula = erlang_c(agents, arrivals, service)
        model = "Erlang-C" if staffing.patience_minutes is None else "Erlang-A"
        rules = Rules([Queue("q", scheduled=False)])
        yield WhatIf(agents, model, formula, play(_day(staffing, agents, seed), rules, f"{agents} agents"))


def _day(staffing: Staffing, agents: int, seed: int) -> History:
    dice, at, arrivals = random.Random(seed), _START, []  # noqa: S311 - a repeatable day, not a secret
    for number in range(1, staffing.tickets + 1):
        at += timedelta(hours=dice.expovariate(staffing.arrivals_per_hour))
        work = timedelta(minutes=dice.expovariate(1 / staffing.work_minutes))
        patience = None
        if staffing.patience_minutes is not None:
            patience = timedelta(minutes=dice.expovariate(1 / staffing.patience_minutes))
        arrivals.append(Arrival(at, Ticket(number, at, _TEAM), work, "q", patience=patience))
    people = [Agent(n, frozenset({_TEAM}), inbox_limit=1) for n in range(1, agents + 1)]
    # Long enough for every ticket to be given even where too few people work.
    end = at + timedelta(minutes=2 * staffing.tickets * staffing.work_minutes)
    return History(_START, end, arrivals, [Change(_START, a) for a in people])
