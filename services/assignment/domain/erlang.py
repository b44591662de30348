"""How long tickets wait, by formula: what a simulation of the same staffing must agree with (facts: §11.1).

Arrivals at random at `arrivals` per unit of time, `agents` who each finish `service` tickets per unit when busy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_NEGLIGIBLE = 1e-18


@dataclass(frozen=True, slots=True)
class Staffing:
    """Figures of a staffing, in the unit of time of the rates.

    Attributes:
        waits: probability that a ticket waits.
        wait: mean over all tickets, those that are given up included.
        queue: mean number of waiting tickets.
        abandoned: share of tickets that are given up.
        occupancy: share of time that an agent is busy.
    """

    waits: float
    wait: float
    queue: float
    abandoned: float
    occupancy: float


def erlang_b(agents: int, load: float) -> float:
    """Return the probability that all agents are busy when nobody may wait, by the recursion that stays stable."""
    blocked = 1.0
    for k in range(1, agents + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked


def erlang_c(agents: int, arrivals: float, service: float) -> Staffing:
    """Return the figures when every ticket waits as long as it takes.

    Raises:
        ValueError: too few agents: the queue would grow for ever.
    """
    load = arrivals / service
    if load >= agents:
        raise ValueError(
            f"{agents} agents cannot keep up with a load of {load:g}: the queue would grow for ever"
        )
    blocked = erlang_b(agents, load)
    waits = agents * blocked / (agents - load * (1 - blocked))
    wait = waits / (agents * service - arrivals)
    return Staffing(waits, wait, arrivals * wait, 0.0, load / agents)


def wait_percentile(agents: int, arrivals: float, service: float, share: float) -> float:
    """Return the wait that `share` (0 to 1) of the tickets do not exceed, when every ticket waits."""
    waits = erlang_c(agents, arrivals, service).waits
    if 1 - share >= waits:
        return 0.0
    return math.log(waits / (1 - share)) / (agents * service - arrivals)


def erlang_a(agents: int, arrivals: float, service: float, patience: float) -> Staffing:
    """Return the figures when a waiting ticket is given up after a random time of mean `patience`."""
    give_up = 1 / patience
    terms = [1.0]
    number, largest = 0, 1.0
    while True:
        number += 1
        leaving = min(number, agents) * service + max(0, number - agents) * give_up
        terms.append(terms[-1] * arrivals / leaving)
        if terms[-1] > largest:  # scaled, so that many agents do not overflow
            largest = terms[-1]
        if largest > 1e200:
            terms, largest = [t / largest for t in terms], 1.0
        if number > agents and terms[-1] < largest * _NEGLIGIBLE:
            break
    total = math.fsum(terms)
    queue = math.fsum((n - agents) * t for n, t in enumerate(terms) if n > agents) / total
    busy = math.fsum(min(n, agents) * t for n, t in enumerate(terms)) / total
    waits = math.fsum(terms[agents:]) / total
    return Staffing(waits, queue / arrivals, queue, give_up * queue / arrivals, busy / agents)


def relaxation(agents: int, arrivals: float, service: float) -> float:
    """Return about how long the system remembers: the longest of its correlation times, without giving up."""
    return 1 / (agents * service * (1 - math.sqrt(arrivals / (agents * service))) ** 2)


def wait_error(agents: int, arrivals: float, service: float, tickets: int) -> float:
    """Return the standard error of a simulated mean wait of so many tickets.

    Waits of neighbours are alike; of the simulated time, each two relaxation times count as one observation.
    """
    figures = erlang_c(agents, arrivals, service)
    variance = 2 * figures.waits / (agents * service - arrivals) ** 2 - figures.wait**2
    observations = tickets / arrivals / (2 * relaxation(agents, arrivals, service))
    return math.sqrt(variance / max(1.0, observations))
