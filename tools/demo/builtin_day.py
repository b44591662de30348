"""The built-in day: made by a generator with a fixed seed, so every run plays the same tickets."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from tools.demo.script import AgentPart, Script, ShiftPart, TicketPart

# Arrivals per hour of the day: a helpdesk that wakes at seven and is busiest before noon.
_PER_HOUR = (3, 2, 2, 2, 3, 5, 9, 18, 32, 40, 42, 38, 28, 34, 36, 32, 26, 18, 12, 9, 7, 6, 5, 4)
_SHIFTS = ((7, 15), (9, 17), (11, 19), (15, 23), (23, 7))
_PRIORITIES = ("low", "normal", "normal", "normal", "high", "urgent")


def builtin_day(seed: int = 20260105) -> Script:
    """Return a day of about 400 tickets, 20 agents in shifts and 3 groups.

    Args:
        seed: another seed makes another day.
    """
    dice = random.Random(seed)  # noqa: S311 - a repeatable day, not a secret
    start = datetime(2026, 1, 5, tzinfo=UTC)
    groups = (1, 2, 3)
    agents = [AgentPart(key=1, groups=groups, online=False, admin=True)]
    shifts = _shift(1, start, (8, 18))
    for key in range(2, 22):
        first = groups[key % 3]
        mine = (first,) if dice.random() < 0.7 else tuple(sorted({first, dice.choice(groups)}))
        hours = _SHIFTS[key % 5]
        agents.append(AgentPart(key=key, groups=mine, online=hours[0] > hours[1], manager=key == 2))
        shifts += _shift(key, start, hours)
    tickets = []
    for hour, count in enumerate(_PER_HOUR):
        for _ in range(count):
            at = start + timedelta(hours=hour, seconds=dice.randrange(3600))
            work = timedelta(minutes=min(240.0, dice.lognormvariate(3.4, 0.7)))
            group = dice.choices(groups, weights=(5, 3, 2))[0]
            tickets.append((at, dice.randrange(1, 181), group, dice.choice(_PRIORITIES), work))
    tickets.sort(key=lambda t: t[0])
    return Script(
        title="a built-in day",
        start=start,
        end=start + timedelta(days=1),
        agents=agents,
        groups=groups,
        tickets=[TicketPart(key, *facts) for key, facts in enumerate(tickets, 1)],
        shifts=sorted(shifts, key=lambda s: s.at),
        inbox_limit=4,
    )


def _shift(agent: int, day: datetime, hours: tuple[int, int]) -> list[ShiftPart]:
    begin, end = hours
    return [
        ShiftPart(day + timedelta(hours=begin), agent, online=True),
        ShiftPart(day + timedelta(hours=end), agent, online=False),
    ]
