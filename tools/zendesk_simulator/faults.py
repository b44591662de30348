"""Faults that tests switch on: what breaks, where, and how often, counted so that a test is deterministic."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tools.zendesk_simulator.fault_modes import JOBS, MODES, SCOPE, Mode

T = TypeVar("T")


class FaultError(ValueError):
    """A fault cannot be switched on as asked; the message names the option."""


@dataclass(slots=True)
class Fault:
    """One switched-on fault.

    Attributes:
        id: for the control API.
        mode: a name of `fault_modes.MODES`.
        method: HTTP method it is for; None = any.
        path: prefix of the paths it is for, without `/api/v2/`; empty = any.
        skip: how many fitting requests pass before the first one is hit.
        every: of the fitting ones after that each n-th is hit, the first one included.
        times: how often it hits; None = without end.
        options: the mode's own.
        fitted: how many requests fitted so far.
        used: how often it has hit.
    """

    id: int
    mode: str
    method: str | None
    path: str
    skip: int
    every: int
    times: int | None
    options: dict[str, Any]
    fitted: int = 0
    used: int = 0

    @property
    def spent(self) -> bool:
        """Whether it will never hit again."""
        return self.times is not None and self.used >= self.times

    def fits(self, method: str | None, path: str) -> bool:
        """Tell whether a request is one it is for."""
        return (self.method is None or method is None or self.method == method) and path.startswith(self.path)

    def hits(self) -> bool:
        """Count one more fitting request and tell whether it is hit."""
        self.fitted += 1
        if self.spent or self.fitted <= self.skip or (self.fitted - self.skip - 1) % self.every:
            return False
        self.used += 1
        return True

    def shown(self) -> dict[str, Any]:
        """Return it as the control API lists it."""
        scope = {name: getattr(self, name) for name in ("method", "path", "skip", "every", "times")}
        return {
            "id": self.id,
            "mode": self.mode,
            **scope,
            **self.options,
            "fitted": self.fitted,
            "used": self.used,
        }


def read_fault(number: int, spec: Mapping[str, Any]) -> Fault:
    """Read a fault from the control API's JSON.

    Raises:
        FaultError: an unknown mode or option, or a value of the wrong kind.
    """
    mode = MODES.get(str(spec.get("mode")))
    if mode is None:
        raise _wrong("mode", f"must be one of {', '.join(MODES)}")
    unknown = [name for name in spec if name != "mode" and name not in SCOPE and name not in mode.options]
    if unknown:
        known = ", ".join([*SCOPE, *mode.options])
        raise _wrong(unknown[0], f"is no option of `{mode.name}`: it knows {known}")
    options = {name: spec.get(name, default) for name, default in mode.options.items()}
    for name, value in options.items():
        _require_kind(mode, name, value)
    for name, least in (("skip", 0), ("every", 1), ("times", 1)):
        value = spec.get(name, least)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise _wrong(name, f"must be an integer of at least {least}")
    method = spec.get("method", mode.method)
    return Fault(
        number,
        mode.name,
        str(method).upper() if method else None,
        str(spec.get("path", mode.path)).lstrip("/").removeprefix("api/v2/"),
        int(spec.get("skip", 0)),
        int(spec.get("every", 1)),
        spec.get("times", mode.times),
        options,
    )


def _require_kind(mode: Mode, name: str, value: Any) -> None:
    if name in mode.choices:
        if value not in mode.choices[name]:
            raise _wrong(name, f"must be one of {', '.join(map(str, mode.choices[name]))}")
        return
    default = mode.options[name]
    if value is None or isinstance(default, str):
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, bool) != isinstance(value, bool) or not (number or isinstance(value, bool)):
        raise _wrong(name, f"must be a {'boolean' if isinstance(default, bool) else 'number'}")


def _wrong(name: str, text: str) -> FaultError:
    return FaultError(f"`{name}` {text}")


@dataclass(slots=True)
class Faults:
    """The faults of one account, in the order in which they were switched on."""

    _all: list[Fault] = field(default_factory=list)
    _next: int = 1

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._all)

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, spec: Mapping[str, Any]) -> Fault:
        """Switch one on.

        Raises:
            FaultError: an unknown mode or option, or a value of the wrong kind.
        """
        fault = read_fault(self._next, spec)
        self._next += 1
        self._all.append(fault)
        return fault

    def remove(self, fault_id: int | None) -> None:
        """Switch one off, or all of them."""
        self._all = [f for f in self._all if fault_id is not None and f.id != fault_id]

    def hit(
        self, modes: Iterable[str], method: str | None, path: str, *, when: str | None = None
    ) -> Fault | None:
        """Return the first fault of some modes that hits a request; those after it do not see the request.

        Args:
            when: `before` or `after`, for modes that have the choice.
        """
        for fault in self._all:
            if fault.mode not in modes or not fault.fits(method, path):
                continue
            if (when is None or fault.options.get("when", when) == when) and fault.hits():
                return fault
        return None

    def skew_seconds(self) -> float:
        """Return by how much the account's clock is wrong."""
        return sum(float(f.options["seconds"]) for f in self._all if f.mode == "clock_skew")


@dataclass(slots=True)
class _Request:
    """A request that may start a job; only one that does counts."""

    faults: Faults
    method: str
    path: str
    asked: bool = False
    found: Fault | None = None

    def fault(self) -> Fault | None:
        """Return the fault that acts on its job."""
        if not self.asked:
            self.asked, self.found = True, self.faults.hit(JOBS, self.method, self.path)
        return self.found


_REQUEST: ContextVar[_Request | None] = ContextVar("request", default=None)


@contextmanager
def jobs_break(faults: Faults, method: str, path: str) -> Iterator[None]:
    """Let the account's faults act on a job that a request starts."""
    token = _REQUEST.set(_Request(faults, method, path))
    try:
        yield
    finally:
        _REQUEST.reset(token)


def job_break() -> tuple[str, int | None]:
    """Return how the job that this request starts will end, and after how many rows; None = all.

    It ends `completed`, `failed`, or `never`.
    """
    request = _REQUEST.get()
    fault = None if request is None else request.fault()
    if fault is None:
        return "completed", None
    rows = fault.options["rows"]
    return "failed" if fault.mode == "half_done_job" else "never", None if rows is None else int(rows)


_ROWS: ContextVar[int | None] = ContextVar("rows", default=None)


@contextmanager
def rows_at_most(rows: int | None) -> Iterator[None]:
    """Let a job do so many rows; None = all."""
    token = _ROWS.set(rows)
    try:
        yield
    finally:
        _ROWS.reset(token)


def rows_to_do(rows: Iterable[T]) -> Iterable[T]:
    """Return the rows that the job under way will do: all, unless a fault stops it half-way."""
    return itertools.islice(rows, _ROWS.get())
