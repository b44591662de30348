"""Sends requests over a few connections as fast as they are answered, with as little work as possible."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Ask:
    """One request.

    Attributes:
        method: HTTP method.
        path: with query.
        body: JSON value; None = without a body.
    """

    method: str
    path: str
    body: object = None

    def raw(self, host: str, token: str) -> bytes:
        """Return it as HTTP/1.1."""
        body = b"" if self.body is None else json.dumps(self.body).encode()
        head = [
            f"{self.method} {self.path} HTTP/1.1",
            f"host: {host}",
            f"authorization: Bearer {token}",
            "accept: application/json",
        ]
        if self.body is not None:
            head += ["content-type: application/json", f"content-length: {len(body)}"]
        return "\r\n".join([*head, "", ""]).encode() + body


@dataclass(slots=True)
class Answers:
    """What came back: how many of each status, and how many bytes."""

    statuses: Counter[int] = field(default_factory=Counter)
    size: int = 0


async def _connection(host: str, port: int, requests: Sequence[bytes], seen: Answers) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        for raw in requests:
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            seen.statuses[status] += 1
            marker = head.lower().find(b"content-length:")
            if marker >= 0:
                length = int(head[marker + 15 : head.index(b"\r\n", marker)])
                await reader.readexactly(length)
                seen.size += length
    finally:
        writer.close()


async def send(url: str, token: str, asks: Sequence[Ask], connections: int) -> Answers:
    """Send everything, shared out over the connections, and return what came back."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    raw = [ask.raw(parts.netloc, token) for ask in asks]
    seen = Answers()
    await asyncio.gather(
        *(_connection(parts.hostname, parts.port, raw[n::connections], seen) for n in range(connections))
    )
    return seen


Scenario = Callable[[int], list[Ask]]
"""Makes so many requests."""
