"""Views."""

from __future__ import annotations

from libs.zendesk.models import View
from libs.zendesk.paging import cursor_pages
from libs.zendesk.transport import Transport


class Views:
    """`/api/v2/views`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def active(self) -> list[View]:
        """Return every active view that the token's user may see."""
        pages = cursor_pages(self._transport, "views", "views", View.of)
        return [v async for v in pages if v.active]

    async def show(self, view_id: int) -> View:
        """Return one view.

        Raises:
            RecordNotFoundError: there is none.
        """
        return View.of((await self._transport.call("GET", "views/{id}", {"id": view_id}))["view"])
