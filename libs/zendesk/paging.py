"""Walks through Zendesk's lists row by row, and goes on where it stopped (facts: Zendesk §2.3)."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from libs.zendesk.answers import Json, require_whole, shaped
from libs.zendesk.errors import (
    CursorExpiredError,
    RecordInvalidError,
    RecordNotFoundError,
    ZendeskUnavailableError,
)
from libs.zendesk.transport import Params, Transport

T = TypeVar("T")
_DEAD = frozenset({"InvalidCursor", "InvalidPaginationParameter", "CursorExpired", "InvalidValue"})
_TURNS = 5
"""How often a list by number that keeps shrinking is read from its start again."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a walk is; its caller keeps it. Holds ids only.

    Attributes:
        page: cursor or number of the page, empty for the first.
        given: keys of the rows that were given of that page. The page is fetched anew on resumption, so rows
            that came or went meanwhile neither repeat nor hide another one.
    """

    page: str = ""
    given: tuple[str, ...] = ()

    def encode(self) -> str:
        """Return the position as text."""
        return json.dumps([self.page, *self.given], separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Position:
        """Read what `encode` wrote.

        Raises:
            ValueError: it is something else.
        """
        match json.loads(text):
            case [str(page), *given]:
                return cls(page, tuple(map(str, given)))
        raise ValueError("not a position")


class Pages(AsyncIterator[T], Generic[T]):
    """The rows of a list that pages by cursor.

    `position` stands behind the row that was given last: a caller who keeps it once he is through with the
    row can begin a new walk there. After an error the same walk goes on with the next `async for`.

    Args:
        template: path with `{id}` places.
        member: under which the rows stand.
        read: makes what we keep of a row.
        ids: values of the places.
        params: further query.
        start: where to begin.
        key: identifies a row within its page.

    Raises:
        CursorExpiredError: while walking, when Zendesk does not know the position any more.
        ZendeskError: while walking, as `Transport.call`.
    """

    def __init__(
        self,
        transport: Transport,
        template: str,
        member: str,
        read: Callable[[Json], T],
        ids: Mapping[str, object] | None = None,
        *,
        params: Params | None = None,
        start: Position | None = None,
        page_size: int = 100,
        key: Callable[[Json], object] = lambda row: row["id"],
    ) -> None:
        self._transport = transport
        self._template = template
        self._member = member
        self._read = read
        self._ids = ids
        self._params: dict[str, str | int] = {**(params or {}), "page[size]": page_size}
        self._key = key
        self.position = start or Position()
        self._rows: deque[tuple[str, Json]] | None = None
        self._next: str | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while True:
            if self._rows is None:
                self._rows, self._next = await self._page()
            if self._rows:
                key, row = self._rows.popleft()
                made = self._made(row)
                self.position = Position(self.position.page, (*self.position.given, key))
                return made
            if self._next is None:
                raise StopAsyncIteration
            self.position, self._rows = Position(self._next), None

    @property
    def on_last_page(self) -> bool:
        """Whether what is left is on the page that was fetched last."""
        return self._rows is not None and self._next is None

    async def all(self) -> list[T]:
        """Walk to the end and return the rows."""
        return [row async for row in self]

    def _made(self, row: Json) -> T:
        return shaped(self._route, lambda: self._read(row))

    @property
    def _route(self) -> str:
        return f"GET {self._template}"

    async def _page(self) -> tuple[deque[tuple[str, Json]], str | None]:
        answer = await self._get({"page[after]": self.position.page} if self.position.page else {})
        require_whole(self._route, answer)
        meta = shaped(self._route, lambda: dict(answer.get("meta") or {}))
        following = str(meta.get("after_cursor") or "") if meta.get("has_more") else None
        if following is not None and following in ("", self.position.page):
            raise ZendeskUnavailableError(self._route, 200, "CursorStandsStill", done=None)
        return self._fresh(answer), following

    async def _get(self, position: dict[str, str | int]) -> Json:
        params = {**self._params, **position}
        if not position:
            return await self._transport.call("GET", self._template, self._ids, params=params)
        try:
            return await self._transport.call("GET", self._template, self._ids, params=params)
        except (RecordInvalidError, RecordNotFoundError) as error:
            if error.error not in _DEAD and error.status != 410:
                raise
            found = error
        raise CursorExpiredError(
            found.route, found.status, found.error, description=found.description, request_id=found.request_id
        )

    def _fresh(self, answer: Json) -> deque[tuple[str, Json]]:
        """Return the rows of a page that were not given yet."""
        rows = shaped(self._route, lambda: [(str(self._key(row)), row) for row in answer[self._member]])
        given = frozenset(self.position.given)
        return deque((key, row) for key, row in rows if key not in given)


class NumberedPages(Pages[T]):
    """The rows of a list that pages by number.

    Such a list moves under the walker. A row that comes again is left out, and when the list got shorter
    meanwhile, so that rows may have moved up behind the walker, it is read from its start again.
    """

    def __init__(
        self,
        transport: Transport,
        template: str,
        member: str,
        read: Callable[[Json], T],
        ids: Mapping[str, object] | None = None,
        *,
        params: Params | None = None,
        start: Position | None = None,
        page_size: int = 100,
        key: Callable[[Json], object] = lambda row: row["id"],
    ) -> None:
        super().__init__(
            transport, template, member, read, ids, params=params, start=start, page_size=page_size, key=key
        )
        self._params = {**(params or {}), "per_page": page_size}
        self._seen = set(self.position.given)
        self._count: int | None = None
        self._turns = 0

    async def _page(self) -> tuple[deque[tuple[str, Json]], str | None]:
        number = int(self.position.page or 1)
        answer = await self._get({"page": number} if number > 1 else {})
        rows = deque((key, row) for key, row in self._fresh(answer) if key not in self._seen)
        self._seen |= {key for key, _ in rows}
        count = answer.get("count")
        shrunk = isinstance(count, int) and self._count is not None and count < self._count
        self._count = count if isinstance(count, int) else None
        if shrunk and self._turns < _TURNS:
            self._turns += 1
            return rows, "1"
        return rows, str(number + 1) if answer.get("next_page") else None
