"""The connection pool that accounts share."""

from __future__ import annotations

import asyncio

from libs.zendesk.client import ZendeskClient, new_pool
from libs.zendesk.errors import RecordNotFoundError
from libs.zendesk.tokens import StaticToken

ANSWER = (
    b"HTTP/1.1 404 Not Found\r\nset-cookie: _zendesk_session=geheim; path=/\r\n"
    b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
)


async def test_no_cookie_of_one_answer_goes_out_with_the_next_call() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(ANSWER)
        except asyncio.IncompleteReadError:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, new_pool() as pool:
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        one = ZendeskClient(base, StaticToken("t"), pool)
        for _ in range(2):
            try:
                await one.tickets.show(7)
            except RecordNotFoundError:
                continue
        assert not pool.cookies

    assert len(heads) == 2
    assert not any(b"cookie" in head.lower() for head in heads)
