"""Where the client's access token comes from."""

from __future__ import annotations

import asyncio
import contextvars
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Access:
    """One access token of Zendesk.

    Attributes:
        token: the bearer token; never logged.
        version: counts the pairs of this grant, so that a caller can ask for a newer one.
    """

    token: str = field(repr=False)
    version: int


class TokenSupply(Protocol):
    """Hands out the account's current access token; only its owner refreshes."""

    async def access(self, known_version: int | None = None) -> Access:
        """Return the current token.

        Args:
            known_version: a version that Zendesk refused; the answer is newer, or an error.
        """
        ...


class StaticToken:
    """One token that never changes, for tools and tests."""

    def __init__(self, token: str) -> None:
        self._access = Access(token, 1)

    async def access(self, known_version: int | None = None) -> Access:
        return self._access


class SharedToken:
    """Asks a supply once for all who need the same token at the same time, and keeps what it got.

    Whoever waits shares the answer, and the failure. The question belongs to none of them, so a caller who
    goes away or runs out of time takes nobody with him.

    Args:
        supply: asked for a token that is newer than the one that is kept.
    """

    def __init__(self, supply: TokenSupply) -> None:
        self._supply = supply
        self._kept: Access | None = None
        self._asking: dict[int | None, asyncio.Task[Access]] = {}

    def forget(self) -> None:
        """Drop the kept token: it is near its end."""
        self._kept = None

    async def access(self, known_version: int | None = None) -> Access:
        kept = self._kept
        if kept is not None and kept.version > (known_version or 0):
            return kept
        asking = self._asking.get(known_version)
        if asking is None:
            # In a context of its own, so that the deadline of the first caller is not that of all.
            asking = asyncio.get_running_loop().create_task(
                self._ask(known_version), context=contextvars.Context()
            )
            self._asking[known_version] = asking
            asking.add_done_callback(lambda done: self._answered(known_version, done))
        return await asyncio.shield(asking)

    async def _ask(self, known_version: int | None) -> Access:
        answer = await self._supply.access(known_version)
        if self._kept is None or answer.version > self._kept.version:
            self._kept = answer
        return answer

    def _answered(self, known_version: int | None, done: asyncio.Task[Access]) -> None:
        self._asking.pop(known_version, None)
        if not done.cancelled():
            done.exception()  # it may be that nobody waits any more
