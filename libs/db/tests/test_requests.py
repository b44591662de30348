"""One conformance suite for the request log, over memory and SQL."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.db.engine import Database
from libs.db.requests import MemoryRequests, Requests, SqlRequests
from libs.kernel.errors import ConcurrentChangeError, RequestIdReusedError

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture(params=["memory", "sql"])
async def requests(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Requests]:
    if request.param == "memory":
        yield MemoryRequests()
        return
    async with database.transaction() as connection:
        yield SqlRequests(connection)
        await connection.rollback()
        await connection.begin()


async def test_a_repeat_gets_the_first_answer(requests: Requests) -> None:
    assert await requests.find("a", "r", "/Create", b"body") is None
    await requests.remember("a", "r", "/Create", b"body", b"answer")

    assert await requests.find("a", "r", "/Create", b"body") == b"answer"
    assert await requests.find("b", "r", "/Create", b"body") is None


@pytest.mark.parametrize(("method", "body"), [("/Create", b"other"), ("/Delete", b"body")])
async def test_the_same_id_for_another_request_is_refused(
    requests: Requests, method: str, body: bytes
) -> None:
    await requests.remember("a", "r", "/Create", b"body", b"answer")

    with pytest.raises(RequestIdReusedError) as caught:
        await requests.find("a", "r", method, body)

    assert caught.value.metadata == {"request_id": "r"}


async def test_a_lost_race_is_a_concurrent_change(requests: Requests) -> None:
    await requests.remember("a", "r", "/Create", b"body", b"answer")

    with pytest.raises(ConcurrentChangeError):
        await requests.remember("a", "r", "/Create", b"body", b"answer")


async def test_without_an_id_nothing_is_kept(requests: Requests) -> None:
    await requests.remember("a", "", "/Create", b"body", b"answer")
    await requests.remember("a", "", "/Create", b"body", b"answer")

    assert await requests.find("a", "", "/Create", b"body") is None
