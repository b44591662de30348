"""What ends a run: one sentence that names the thing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import httpx2

from libs.rpc.errors import reason_of


class DemoError(Exception):
    """The run cannot go on; the message is the one sentence a person sees."""


@contextmanager
def asking(name: str) -> Iterator[None]:
    """Turn the failure of a call to `name` into one sentence.

    Raises:
        DemoError: the part does not answer, or refuses.
    """
    try:
        yield
    except httpx2.TransportError as error:
        raise DemoError(f"{name} does not answer: {type(error).__name__}") from None
    except grpc.aio.AioRpcError as error:
        reason = reason_of(error) or error.code().name
        raise DemoError(f"{name} answered {reason}: {error.details()}") from None
