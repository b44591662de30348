"""Where the client's access token comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Access:
    """One access token of Zendesk.

    Attributes:
        token: the bearer token; never logged.
        version: counts the pairs of this grant, so that a caller can ask for a newer one.
    """

    token: str
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
