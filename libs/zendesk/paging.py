"""Walks through Zendesk's pages (facts: Zendesk §2.3, §7)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from libs.zendesk.models import Json
from libs.zendesk.transport import Transport

T = TypeVar("T")


async def cursor_pages(
    transport: Transport,
    template: str,
    member: str,
    read: Callable[[Json], T],
    ids: Mapping[str, object] | None = None,
    *,
    params: Mapping[str, str | int] | None = None,
    page_size: int = 100,
) -> AsyncIterator[T]:
    """Yield every row of a list that pages by cursor."""
    query: dict[str, str | int] = {**(params or {}), "page[size]": page_size}
    while True:
        page = await transport.call("GET", template, ids, params=query)
        for row in page.get(member) or ():
            yield read(row)
        meta = page.get("meta") or {}
        if not meta.get("has_more"):
            return
        query["page[after]"] = meta["after_cursor"]


async def offset_pages(
    transport: Transport,
    template: str,
    member: str,
    read: Callable[[Json], T],
    ids: Mapping[str, object] | None = None,
    *,
    params: Mapping[str, str | int] | None = None,
) -> AsyncIterator[T]:
    """Yield every row of a list that pages by number."""
    number = 1
    while True:
        page = await transport.call(
            "GET", template, ids, params={**(params or {}), "page": number, "per_page": 100}
        )
        for row in page.get(member) or ():
            yield read(row)
        if not page.get("next_page"):
            return
        number += 1


@dataclass(frozen=True, slots=True)
class ExportPage(Generic[T]):
    """One page of a cursor export.

    Attributes:
        rows: the rows; an id may come again on a later page with a newer state.
        cursor: where the next page begins; keep it once the rows are stored.
        end_of_stream: whether nothing newer is known now.
    """

    rows: tuple[T, ...]
    cursor: str
    end_of_stream: bool


async def export_page(
    transport: Transport,
    template: str,
    member: str,
    read: Callable[[Json], T],
    *,
    cursor: str | None,
    start_time: int,
    params: Mapping[str, str | int] | None = None,
) -> ExportPage[T]:
    """Fetch one page of an incremental cursor export.

    Args:
        cursor: from the page before; None to begin at `start_time`.
        start_time: Unix seconds, more than a minute ago; used only without a cursor.
    """
    position: dict[str, str | int] = {"cursor": cursor} if cursor else {"start_time": start_time}
    page = await transport.call("GET", template, params={**(params or {}), **position})
    after = page.get("after_cursor") or cursor or ""
    return ExportPage(tuple(read(r) for r in page.get(member) or ()), after, bool(page.get("end_of_stream")))
