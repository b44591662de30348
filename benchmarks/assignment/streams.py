"""A standing queue: 100 tickets at a time on a million, and one at a time beside rings and a scan."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.assignment.instances import START, agents, tickets
from benchmarks.assignment.rivals import Ring, Scan
from benchmarks.measure import Report, Samples, percentile, resident_bytes, turns
from benchmarks.peer_program import PeerProgram
from services.assignment.domain.model import Agent, Model, Queue, Ticket
from services.assignment.domain.standing import Standing

ROUND_ROBIN, RING = "standing queue, round robin", "ring in memory"
LOAD, MICRO, PEAK = "load", "micro-batch", "the whole process at its peak"
RINGS = Path("dist/benchmarks.assignment.peers/main.pex")
HOW_RINGS = (
    "`./pants package benchmarks/assignment/peers` makes its program, Debian's redis-server is what it starts"
)


def micro_batches(number: int, waiting: int, rounds: int) -> Report:
    """Measure a standing queue: load it, then decide for 100 tickets and 100 freed slots at a time."""
    report = Report(
        f"{number:,} agents, {waiting:,} wait", ["seconds", "median ms", "p99 ms", "worst ms", "MB"]
    )
    dice = random.Random(3)
    people, asked = agents(number, dice), tickets(waiting, dice)
    before = resident_bytes(os.getpid())
    began = time.perf_counter()
    standing = Standing(Queue("q", model=Model.LEAST_ACTIVE))
    for agent in people:
        standing.put(agent)
    standing.arrive(asked)
    loaded = time.perf_counter() - began
    began = time.perf_counter()
    held = deque(agent for _, agent in standing.decide(START))
    first = time.perf_counter() - began
    grown = (resident_bytes(os.getpid()) - before) / 1e6
    report.add(LOAD, loaded, "", "", "", grown)
    report.add(f"first round, {len(held):,} given", first, "", "", "", "")
    took = []
    for turn in range(rounds):
        fresh = tickets(100, dice, first=waiting + 1 + turn * 100)
        freed = [held.popleft() for _ in range(100)]
        began = time.perf_counter()
        for agent_id in freed:
            standing.finish(agent_id)
        standing.arrive(fresh)
        given = standing.decide(START + timedelta(seconds=turn))
        took.append((time.perf_counter() - began) * 1000)
        held += [agent for _, agent in given]
    report.add(MICRO, "", percentile(took, 0.5), percentile(took, 0.99), max(took), "")
    report.add(PEAK, "", "", "", "", resident_bytes(os.getpid(), peak=True) / 1e6)
    return report


def online(number: int, decisions: int, rounds: int, rings: Path | None = None) -> Report:
    """Measure one ticket at a time, with a slot freed for each, beside rings and a scan.

    Args:
        number: of agents.
        decisions: per round.
        rounds: after one to warm up.
        rings: the program that hands out by Redis; None = without.

    Raises:
        ValueError: a ring in Redis gives another number of tickets than one in memory.
    """
    report = Report(f"online, {number:,} agents", ["decisions/s", "per CPU s", "us each", "ratio"])
    dice = random.Random(4)
    people, asked = agents(number, dice, (4, 10)), tickets(decisions, dice)
    ways: dict[str, Callable[[], Callable[[Ticket], int | None]]] = {
        ROUND_ROBIN: lambda: _standing(people, Model.ROUND_ROBIN),
        "standing queue, least active": lambda: _standing(people, Model.LEAST_ACTIVE),
        RING: lambda: _rival(Ring(people), number),
        "scan per ticket": lambda: _rival(Scan(people), number),
    }
    redis = {"ring in Redis, a script per ticket": "script", "ring in Redis, commands": "commands"}
    samples = {name: Samples() for name in [*ways, *(redis if rings else {})]}
    busy = {name: Samples() for name in samples}
    given = dict.fromkeys(samples, 0)
    with contextlib.ExitStack() as stack:
        program = stack.enter_context(PeerProgram(rings)) if rings else None
        if program:
            version = program.ask(_told(people, asked))["redis"]
            report.notes.append(
                f"Redis {version} on a Unix socket, nothing written to disk; its CPU and its client's"
            )
        for turn, name in turns([*samples], rounds):
            if program and name in redis:
                answer = program.ask({"way": redis[name]})
                took, cpu, given[name] = answer["seconds"], answer["cpu_seconds"], answer["given"]
            else:
                give = ways[name]()
                began, cpu_began = time.perf_counter(), time.process_time()
                given[name] = sum(give(ticket) is not None for ticket in asked)
                took, cpu = time.perf_counter() - began, time.process_time() - cpu_began
            samples[name].add(turn, took / decisions * 1e6)
            busy[name].add(turn, cpu / decisions)
    if rings and any(given[name] != given[RING] for name in redis):
        raise ValueError(f"the rings differ: {given}")
    base = samples[ROUND_ROBIN].median
    for name, sample in samples.items():
        report.add(name, 1e6 / sample.median, 1 / busy[name].median, sample.median, sample.median / base)
    report.notes.append("given: " + ", ".join(f"{name} {n:,}" for name, n in given.items()))
    return report


def _told(people: list[Agent], asked: list[Ticket]) -> dict[str, Any]:
    return {
        "agents": [(a.id, sorted(a.groups), a.inbox_limit) for a in people],
        "tickets": [t.group for t in asked],
    }


def _standing(people: list[Agent], model: Model) -> Callable[[Ticket], int | None]:
    standing, held = Standing(Queue("q", model=model)), deque[int]()
    for agent in people:
        standing.put(agent)

    def give(ticket: Ticket) -> int | None:
        standing.arrive((ticket,))
        given = standing.decide(START)
        held.extend(agent for _, agent in given)
        if len(held) > len(people):
            standing.finish(held.popleft())
        return given[0][1] if given else None

    return give


def _rival(rival: Ring | Scan, most: int) -> Callable[[Ticket], int | None]:
    held = deque[int]()

    def give(ticket: Ticket) -> int | None:
        agent = rival.give(ticket)
        if agent is not None:
            held.append(agent)
        if len(held) > most:
            rival.finish(held.popleft())
        return agent

    return give
