"""Streaming RPCs that are part of the contract but not built yet."""

from __future__ import annotations

from typing import Any, Self

from libs.kernel.errors import NotBuiltError


class UnbuiltStream:
    """A stream that answers NOT_BUILT at its first message.

    Args:
        why: what is missing, for the caller.
    """

    def __init__(self, why: str) -> None:
        self._why = why

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        raise NotBuiltError(self._why)
