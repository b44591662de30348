"""Requests with their steps, and certificates, as they are kept."""

from __future__ import annotations

from dataclasses import dataclass

from libs.kernel.errors import NotFoundError
from libs.kernel.ids import AccountId
from services.privacy.app.ports import CertificateRow, RequestRow, StepRow, Store, Transaction


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request with its steps, in order."""

    row: RequestRow
    steps: tuple[StepRow, ...] = ()


async def require_request(tx: Transaction, request: str, *, for_update: bool = False) -> RequestRow:
    """Return a request.

    Raises:
        NotFoundError: there is none.
    """
    row = await tx.request(request, for_update=for_update)
    if row is None:
        raise NotFoundError("no such request", metadata={"name": f"requests/{request}"})
    return row


class ReadRequests:
    """Reads, changes nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def one(self, account: AccountId, request: str) -> RequestView:
        """Return a request.

        Raises:
            NotFoundError: there is none.
        """
        async with self._store.transaction(account) as tx:
            row = await require_request(tx, request)
            return RequestView(row, tuple(await tx.steps(request)))

    async def page(self, account: AccountId, before: str, limit: int, state: str | None) -> list[RequestView]:
        """Return requests older than the id `before` (empty = from the newest), newest first."""
        async with self._store.transaction(account) as tx:
            rows = await tx.requests(before, limit, state)
            steps = await tx.steps(*(row.id for row in rows))
        return [RequestView(row, tuple(s for s in steps if s.request == row.id)) for row in rows]

    async def certificate(self, account: AccountId, request: str) -> CertificateRow:
        """Return the certificate of a completed request.

        Raises:
            NotFoundError: there is none (yet).
        """
        async with self._store.transaction(account) as tx:
            row = await tx.certificate(request)
        if row is None:
            name = f"requests/{request}/certificate"
            raise NotFoundError("no such certificate", metadata={"name": name})
        return row
