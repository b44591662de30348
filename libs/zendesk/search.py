"""Search: ids of what fits a query."""

from __future__ import annotations

from typing import Literal

from libs.zendesk.answers import shaped
from libs.zendesk.models.json import Json
from libs.zendesk.paging import Pages, Position
from libs.zendesk.transport import Transport

Kind = Literal["ticket", "user", "organization", "group"]


def _id(row: Json) -> int:
    return int(row["id"])


class Search:
    """`/api/v2/search`. A query may name a person: it is in no error and no log."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def export(self, query: str, kind: Kind, *, start: Position | None = None) -> Pages[int]:
        """Walk through the ids of everything that fits, by creation time. The cursor lives an hour.

        Args:
            query: without `type:`, which this endpoint does not know.
        """
        params = {"query": query, "filter[type]": kind}
        return Pages(
            self._transport, "search/export", "results", _id, params=params, start=start, page_size=100
        )

    async def count(self, query: str) -> int:
        """Return how many objects fit a query in Zendesk's own syntax (`type:ticket requester:7`)."""
        answer = await self._transport.call("GET", "search/count", params={"query": query})
        return shaped("GET search/count", lambda: int(answer["count"]))
