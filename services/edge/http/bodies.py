"""The one way a body is read: bounded by what arrives, whatever its length claims."""

from __future__ import annotations

from starlette.requests import Request


class TooLargeError(Exception):
    """The body is larger than what is taken."""


async def read_bytes(request: Request, maximum: int) -> bytes:
    """Return a body; what is too large is not read to its end.

    Args:
        maximum: bytes.

    Raises:
        TooLargeError: it is larger.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > maximum:
            raise TooLargeError
    return bytes(body)
