"""Views."""

from __future__ import annotations

from collections.abc import Sequence

from libs.zendesk.answers import shaped
from libs.zendesk.models import View, ViewCount
from libs.zendesk.paging import Pages
from libs.zendesk.tickets import id_list
from libs.zendesk.transport import Transport


class Views:
    """`/api/v2/views`. The tickets themselves come from `Tickets.of_view`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def active(self) -> list[View]:
        """Return every active view that the token's user may see."""
        return [v async for v in Pages(self._transport, "views", "views", View.of) if v.active]

    async def show(self, view_id: int) -> View:
        """Return one view.

        Raises:
            RecordNotFoundError: there is none.
        """
        return await self._transport.fetch("GET", "views/{id}", "view", View.of, {"id": view_id})

    async def show_many(self, view_ids: Sequence[int]) -> list[View]:
        """Return those of at most 100 views that there are and that the token's user may see."""
        return await self._transport.fetch_list(
            "views/show_many", "views", View.of, params={"ids": id_list(view_ids)}
        )

    async def execute(self, view_id: int) -> list[int]:
        """Return the ids of a view's first tickets in its order, up to 10 minutes old; 5 a minute per view."""
        route = "views/{id}/execute"
        answer = await self._transport.call("GET", route, {"id": view_id})
        return shaped(f"GET {route}", lambda: [int(row["ticket"]["id"]) for row in answer["rows"]])

    async def count(self, view_id: int) -> ViewCount:
        """Return how many tickets a view holds; a value of None means: ask again in 5 s."""
        return await self._transport.fetch(
            "GET", "views/{id}/count", "view_count", ViewCount.of, {"id": view_id}
        )

    async def count_many(self, view_ids: Sequence[int]) -> list[ViewCount]:
        """Return how many tickets at most 20 views hold; 6 times in 5 minutes."""
        params = {"ids": id_list(view_ids)}
        return await self._transport.fetch_list(
            "views/count_many", "view_counts", ViewCount.of, params=params
        )
