"""Incremental exports: what changed since the last time, nothing left out, nothing twice (facts: Zendesk §7).

Two things make that hard. A stream is ordered by (time, id) in whole seconds, so a row that changes again in
the second that was already read would stay behind the cursor: Zendesk therefore hides the last minute of
tickets, and we hide it of streams for which Zendesk does not. And a cursor may die: the walk then goes on by
time, which repeats the rows of that second, so the checkpoint knows which of them were given.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlsplit

from libs.zendesk.answers import Json, shaped
from libs.zendesk.errors import RecordInvalidError, RecordNotFoundError, ZendeskUnavailableError
from libs.zendesk.models.json import instant
from libs.zendesk.transport import Params, Transport

T = TypeVar("T")

HIDDEN_SECONDS = 60
"""Rows younger than this may still change within their second."""
_EARLIEST_SECONDS = 120
"""A start must be more than a minute old; one minute more for a clock that goes wrong."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far an export was read; its caller keeps it with what the page brought. Holds ids only.

    Attributes:
        cursor: Zendesk's, empty before the first page and after it died.
        time: Unix seconds; every change before it was given.
        given: (id, time) of rows that come again from here: those of the second `time`, and those of a page
            that was not given to its end.
    """

    cursor: str = ""
    time: int = 0
    given: frozenset[tuple[str, int]] = frozenset()

    def encode(self) -> str:
        """Return the checkpoint as text."""
        return json.dumps([self.cursor, self.time, *sorted(self.given)], separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Checkpoint:
        """Read what `encode` wrote.

        Raises:
            ValueError: it is something else.
        """
        match json.loads(text):
            case [str(cursor), int(time), *given]:
                return cls(cursor, time, frozenset((str(i), int(at)) for i, at in given))
        raise ValueError("not a checkpoint")


@dataclass(frozen=True, slots=True)
class ExportPage(Generic[T]):
    """One page of an export.

    Attributes:
        rows: the latest state of what changed; an id may come again on a later page with a newer one.
        checkpoint: where the next page begins; keep it in the same transaction as the rows.
        end_of_stream: whether nothing newer can be read now.
    """

    rows: tuple[T, ...]
    checkpoint: Checkpoint
    end_of_stream: bool


_Row: TypeAlias = tuple[str, int, Json]
"""Id, second of its change, and the row itself."""


class _Stream(Generic[T]):
    """What both kinds of streams have in common.

    Args:
        template: e.g. `incremental/tickets/cursor`.
        member: under which the rows stand.
        read: makes what we keep of a row.
        settled: whether Zendesk itself hides the last minute.
        params: further query.
    """

    def __init__(
        self,
        transport: Transport,
        template: str,
        member: str,
        read: Callable[[Json], T],
        *,
        settled: bool,
        params: Params | None = None,
    ) -> None:
        self._transport = transport
        self._template = template
        self._member = member
        self._read = read
        self._settled = settled
        self._params = dict(params or {})

    async def _get(self, position: Params) -> Json:
        return await self._transport.call("GET", self._template, params={**self._params, **position})

    def _rows(self, checkpoint: Checkpoint, answer: Json, now: int) -> tuple[list[_Row], list[_Row], bool]:
        """Return the rows of a page that may be given, those of them that were not given yet, and whether that
        is the page to its end."""
        rows = [(str(row["id"]), _second(row), row) for row in answer[self._member]]
        horizon = None if self._settled else now - HIDDEN_SECONDS
        ripe = [(i, at, row) for i, at, row in rows if horizon is None or at < horizon]
        news = [
            (i, at, row)
            for i, at, row in ripe
            if (i, at) not in checkpoint.given and not _before(row, checkpoint.time)
        ]
        return ripe, news, len(ripe) == len(rows)

    def _now(self) -> int:
        return int(self._transport.clock.now().timestamp())


class Export(_Stream[T]):
    """A stream that Zendesk exports by cursor."""

    async def pages(self, checkpoint: Checkpoint) -> AsyncIterator[ExportPage[T]]:
        """Yield pages until the end of the stream."""
        while True:
            page = await self.page(checkpoint)
            yield page
            if page.end_of_stream:
                return
            checkpoint = page.checkpoint

    async def page(self, checkpoint: Checkpoint) -> ExportPage[T]:
        """Fetch the page after a checkpoint. A cursor that Zendesk does not know any more is made up for.

        Raises:
            ZendeskError: as `Transport.call`.
        """
        if checkpoint.cursor:
            try:
                answer = await self._get({"cursor": checkpoint.cursor})
            except (RecordInvalidError, RecordNotFoundError):
                if not checkpoint.time:
                    raise  # where to begin is not known
                checkpoint = replace(checkpoint, cursor="")
        if not checkpoint.cursor:
            latest = self._now() - _EARLIEST_SECONDS
            answer = await self._get({"start_time": min(checkpoint.time, latest)})
        return shaped(f"GET {self._template}", lambda: self._page(checkpoint, answer))

    def _page(self, checkpoint: Checkpoint, answer: Json) -> ExportPage[T]:
        ripe, news, whole = self._rows(checkpoint, answer, self._now())
        time = max([checkpoint.time, *(at for _, at, _ in ripe)])
        made = tuple(self._read(row) for _, _, row in news)
        ended = bool(answer.get("end_of_stream"))
        if not whole:  # the page is not given to its end: it is read again later
            kept = replace(checkpoint, time=time, given=checkpoint.given | {(i, at) for i, at, _ in news})
            return ExportPage(made, kept, True)
        cursor = str(answer.get("after_cursor") or checkpoint.cursor)
        if not ended and cursor == checkpoint.cursor:
            raise ZendeskUnavailableError(f"GET {self._template}", 200, "CursorStandsStill", done=None)
        given = {(i, at) for i, at in (*checkpoint.given, *((i, at) for i, at, _ in ripe)) if at == time}
        return ExportPage(made, Checkpoint(cursor, time, frozenset(given)), ended)


def _second(row: Json) -> int:
    """Return when a row changed, in Unix seconds; `generated_timestamp` moves with every change."""
    if isinstance(at := row.get("generated_timestamp"), int):
        return at
    changed = instant(row.get("updated_at") or row.get("time"))
    return int(changed.timestamp()) if changed else 0


def _before(row: Json, time: int) -> bool:
    """Whether a row is certainly older than a time; `updated_at` may be older than the change itself."""
    return isinstance(at := row.get("generated_timestamp"), int) and at < time


def cursor_of(url: object) -> str:
    """Return the `cursor` in the address of a next page; empty when it has none."""
    return parse_qs(urlsplit(url).query).get("cursor", [""])[0] if isinstance(url, str) else ""


class TimedExport(_Stream[T]):
    """A stream that Zendesk exports by time alone: a page ends within a second, which the next page repeats."""

    async def page(self, checkpoint: Checkpoint) -> ExportPage[T]:
        """Fetch the page after a checkpoint; its cursor is not looked at.

        Raises:
            ZendeskError: as `Transport.call`.
        """
        now = self._now()
        start = min(checkpoint.time, now - _EARLIEST_SECONDS)
        while True:
            page, following = await self._fetch(checkpoint, start, now)
            if page.rows or page.end_of_stream:
                return page
            if following <= start:
                raise ZendeskUnavailableError(f"GET {self._template}", 200, "CursorStandsStill", done=None)
            start, checkpoint = following, page.checkpoint  # all of it was given before

    async def _fetch(self, checkpoint: Checkpoint, start: int, now: int) -> tuple[ExportPage[T], int]:
        answer = await self._get({"start_time": start})
        return shaped(f"GET {self._template}", lambda: self._page(checkpoint, answer, now))

    def _page(self, checkpoint: Checkpoint, answer: Json, now: int) -> tuple[ExportPage[T], int]:
        ripe, news, whole = self._rows(checkpoint, answer, now)
        told = int(answer.get("end_time") or 0)
        last = max([checkpoint.time, *(at for _, at, _ in ripe)])
        time = max(last, told) if whole else last
        given = {(i, at) for i, at in (*checkpoint.given, *((i, at) for i, at, _ in ripe)) if at == time}
        ended = bool(answer.get("end_of_stream")) or not whole or not ripe
        made = tuple(self._read(row) for _, _, row in news)
        return ExportPage(made, Checkpoint("", time, frozenset(given)), ended), told
