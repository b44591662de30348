"""What to replay: policies side by side, from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from services.assignment.domain.model import Model, Queue
from tools.demo.script import ScriptError

PRIORITIES = ("urgent", "high", "normal", "low")
_FLAGS = ("use_sla", "scheduled")


@dataclass(frozen=True, slots=True)
class Policy:
    """One set of rules.

    Attributes:
        inbox_limit: open tickets at which an agent pauses.
        daily_limit: tickets per agent in 12 hours; None = no limit.
    """

    name: str
    queue: Queue
    inbox_limit: int = 10
    daily_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Staffing:
    """A team to compare with the formulas: arrivals at random, work and patience of random length."""

    arrivals_per_hour: float
    work_minutes: float
    agents: tuple[int, ...]
    patience_minutes: float | None = None
    tickets: int = 20_000


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a run is told.

    Attributes:
        policies: the first is what the others are compared with.
        target_minutes: until a ticket is assigned, by priority.
        hours: of the day (UTC) between which everybody is online; None = always.
    """

    policies: tuple[Policy, ...]
    target_minutes: Mapping[str, float] = field(default_factory=dict)
    hours: tuple[int, int] | None = None
    staffing: Staffing | None = None


BUILT_IN = Config(
    policies=(
        Policy("round robin", Queue("log", scheduled=False)),
        Policy("least active", Queue("log", model=Model.LEAST_ACTIVE, scheduled=False)),
        Policy("longest idle", Queue("log", model=Model.LONGEST_IDLE, scheduled=False)),
        Policy("round robin, 5 open", Queue("log", scheduled=False), inbox_limit=5),
    ),
    target_minutes={"urgent": 15, "high": 60, "normal": 240, "low": 480},
)


def read_config(path: Path) -> Config:
    """Read a file.

    Raises:
        ScriptError: it is no TOML, or holds something that nobody knows; names it.
    """
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScriptError(f"`{path.name}` cannot be read: {error}") from None
    _known(path, value, {"policy", "target_minutes", "hours", "staffing"}, "the file")
    policies = tuple(_policy(path, one) for one in value.get("policy", ()))
    names = [p.name for p in policies]
    if len(set(names)) < len(names):
        raise ScriptError(f"`{path.name}` has two policies of one name")
    targets = value.get("target_minutes", {})
    _known(path, targets, set(PRIORITIES), "`target_minutes`")
    if not all(_number(minutes) and minutes > 0 for minutes in targets.values()):
        raise ScriptError(f"`{path.name}`: `target_minutes` holds something else than numbers above 0")
    return Config(
        policies or BUILT_IN.policies, targets, _hours(path, value.get("hours")), _staffing(path, value)
    )


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _known(path: Path, value: object, known: set[str], where: str) -> None:
    if not isinstance(value, dict):
        raise ScriptError(f"`{path.name}`: {where} is no table")
    unknown = sorted(value.keys() - known)
    if unknown:
        raise ScriptError(
            f"`{path.name}`: {where} has no `{unknown[0]}`: there are {', '.join(sorted(known))}"
        )


def _policy(path: Path, one: dict[str, Any]) -> Policy:
    limits = ("inbox_limit", "daily_limit", "batch_size", "queue_daily_limit", "ageing_seconds")
    _known(path, one, {"name", "model", *limits, *_FLAGS}, "a policy")
    name = one.get("name")
    if not isinstance(name, str) or not name:
        raise ScriptError(f"`{path.name}`: a policy has no `name`")
    for key in limits:
        if key in one and (type(one[key]) is not int or one[key] < 1):
            raise ScriptError(f"`{path.name}`: `{key}` of `{name}` must be a whole number above 0")
    for key in _FLAGS:
        if type(one.get(key, False)) is not bool:
            raise ScriptError(f"`{path.name}`: `{key}` of `{name}` must be true or false")
    if one.get("model", "round_robin") not in list(Model):
        raise ScriptError(f"`{path.name}`: `{name}` has no model of ours: there are {', '.join(Model)}")
    queue = Queue(
        "log",
        model=Model(one.get("model", "round_robin")),
        use_sla=one.get("use_sla", False),
        batch_size=one.get("batch_size"),
        daily_limit=one.get("queue_daily_limit"),
        scheduled=one.get("scheduled", True),
        ageing_seconds=one.get("ageing_seconds"),
    )
    return Policy(name, queue, one.get("inbox_limit", 10), one.get("daily_limit"))


def _hours(path: Path, value: object) -> tuple[int, int] | None:
    match value:
        case None:
            return None
        case [int() as begin, int() as end] if 0 <= begin < end <= 24:
            return begin, end
    raise ScriptError(f"`{path.name}`: `hours` must be two hours of a day, the earlier first")


def _staffing(path: Path, value: dict[str, Any]) -> Staffing | None:
    given = value.get("staffing")
    if given is None:
        return None
    _known(path, given, {f.name for f in fields(Staffing)}, "`staffing`")
    try:
        values: dict[str, Any] = {k: tuple(v) if k == "agents" else v for k, v in given.items()}
        made = Staffing(**values)
    except TypeError:
        raise ScriptError(
            f"`{path.name}`: `staffing` needs arrivals_per_hour, work_minutes and agents"
        ) from None
    numbers = [made.arrivals_per_hour, made.work_minutes, made.tickets, *made.agents]
    numbers += [made.patience_minutes] if made.patience_minutes is not None else []
    if not made.agents or not all(_number(n) and n > 0 for n in numbers):
        raise ScriptError(f"`{path.name}`: `staffing` must hold numbers above 0")
    return made
