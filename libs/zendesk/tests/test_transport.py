"""The transport sends again what is safe and nothing else, in the time that it has."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx2
import pytest

from libs.rpc.deadlines import set_deadline
from libs.zendesk.errors import (
    RecordInvalidError,
    RecordNotFoundError,
    TooManyRequestsError,
    ZendeskError,
    ZendeskUnavailableError,
)
from libs.zendesk.tests.answering import MovingTime, client, ok, refusal, scripted
from libs.zendesk.transport import ATTEMPTS, REFUSALS, Patience

UNKNOWN = [httpx2.ReadError, httpx2.ReadTimeout, httpx2.RemoteProtocolError, httpx2.WriteError]
UNSENT = [httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout]


@pytest.mark.parametrize("trouble", [*UNKNOWN, *UNSENT, httpx2.DecodingError])
async def test_reading_is_repeated_after_any_trouble(trouble: type[httpx2.RequestError]) -> None:
    answer, asked = scripted(trouble, refusal(500), refusal(503, retry_after="0"), ok())

    assert (await client(answer).tickets.show(7)).id == 7
    assert len(asked) == 4


async def test_an_answer_that_is_no_json_is_asked_for_again() -> None:
    page = httpx2.Response(200, text="<html>maintenance</html>")
    cut = httpx2.Response(200, text='{"ticket": {"id": 7, "sta')
    answer, asked = scripted(page, cut, ok())

    assert (await client(answer).tickets.show(7)).id == 7
    assert len(asked) == 3


async def test_repeating_ends() -> None:
    answer, asked = scripted(refusal(502))

    with pytest.raises(ZendeskUnavailableError) as caught:
        await client(answer).tickets.show(7)

    assert (len(asked), caught.value.status, caught.value.done) == (ATTEMPTS, 502, None)


@pytest.mark.parametrize("trouble", [*UNKNOWN, httpx2.DecodingError])
async def test_a_write_of_unknown_outcome_is_never_repeated_blindly(
    trouble: type[httpx2.RequestError],
) -> None:
    answer, asked = scripted(trouble)

    with pytest.raises(ZendeskUnavailableError) as caught:
        await client(answer).tickets.update(7, {"status": "open"})

    assert (caught.value.done, caught.value.error, len(asked)) == (None, trouble.__name__, 1)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_write_that_broke_at_zendesk_is_not_repeated(status: int) -> None:
    answer, asked = scripted(refusal(status, retry_after="0"))

    with pytest.raises(ZendeskUnavailableError) as caught:
        await client(answer).tickets.update(7, {"status": "open"})

    assert (caught.value.done, len(asked)) == (None, 1)


@pytest.mark.parametrize("trouble", UNSENT)
async def test_a_write_that_was_never_sent_is_repeated(trouble: type[httpx2.RequestError]) -> None:
    answer, asked = scripted(trouble, ok())

    assert (await client(answer).tickets.update(7, {"status": "open"})).id == 7
    assert len(asked) == 2


async def test_a_write_that_was_never_sent_is_known_not_to_be_done() -> None:
    answer, asked = scripted(httpx2.ConnectError)

    with pytest.raises(ZendeskUnavailableError) as caught:
        await client(answer).tickets.update(7, {"status": "open"})

    assert (caught.value.done, len(asked)) == (False, ATTEMPTS)


async def test_a_creation_with_a_key_is_repeated_with_the_same_key_and_body() -> None:
    answer, asked = scripted(httpx2.ReadError, refusal(500), ok())

    await client(answer).tickets.create({"comment": {"body": "hello"}}, idempotency_key="01KEY")

    assert {r.headers["idempotency-key"] for r in asked} == {"01KEY"}
    assert [json.loads(r.content) for r in asked] == [{"ticket": {"comment": {"body": "hello"}}}] * 3


async def test_other_creations_carry_no_key_and_are_not_repeated() -> None:
    answer, asked = scripted(httpx2.ReadError)

    with pytest.raises(ZendeskUnavailableError):
        await client(answer).webhooks.create(name="n", endpoint="https://x")

    assert len(asked) == 1
    assert "idempotency-key" not in asked[0].headers


async def test_a_deletion_that_finds_nothing_the_second_time_was_done_the_first_time() -> None:
    answer, asked = scripted(httpx2.ReadError, refusal(404))

    await client(answer).ticket_deletion.trash(7)

    assert len(asked) == 2
    with pytest.raises(RecordNotFoundError):
        await client(scripted(refusal(404))[0]).ticket_deletion.trash(7)


async def test_what_was_refused_after_an_unknown_outcome_stays_unknown() -> None:
    answer, _ = scripted(httpx2.ReadError, refusal(422))

    with pytest.raises(RecordInvalidError) as caught:
        await client(answer).users.suspend(3)

    assert caught.value.done is None
    with pytest.raises(RecordInvalidError) as caught:
        await client(scripted(refusal(422))[0]).users.suspend(3)
    assert caught.value.done is False


async def test_429_is_waited_out_whatever_it_was() -> None:
    time = MovingTime()
    answer, asked = scripted(refusal(429, retry_after="7"), ok())

    assert (await client(answer, time=time).tickets.update(7, {"status": "open"})).id == 7
    assert len(asked) == 2
    assert sum(time.slept) == pytest.approx(7)


async def test_retry_after_zero_means_at_once() -> None:
    time = MovingTime()
    answer, _ = scripted(refusal(429, retry_after="0"), refusal(503, retry_after="0"), ok())

    await client(answer, time=time).tickets.show(7)

    assert sum(time.slept) == 0


async def test_retry_after_may_be_a_date() -> None:
    time = MovingTime()
    date = {"date": "Wed, 01 Jul 2026 10:00:00 GMT", "retry-after": "Wed, 01 Jul 2026 10:00:20 GMT"}
    answer, _ = scripted(httpx2.Response(503, json={}, headers=date), ok())

    await client(answer, time=time).tickets.show(7)

    assert time.slept == [20]


async def test_a_storm_of_429_ends_in_an_error_and_not_in_a_storm_of_ours() -> None:
    time = MovingTime()
    answer, asked = scripted(refusal(429, retry_after="0"))

    with pytest.raises(TooManyRequestsError) as caught:
        await client(answer, time=time).tickets.show(7)

    assert (len(asked), caught.value.done) == (REFUSALS, False)
    assert sum(time.slept) > 1


@pytest.mark.parametrize("status", [429, 503])
async def test_patience_ends_before_a_long_retry_after_begins(status: int) -> None:
    time = MovingTime()
    answer, asked = scripted(refusal(status, retry_after="3600"))

    with pytest.raises((TooManyRequestsError, ZendeskUnavailableError)) as caught:
        await client(answer, time=time).tickets.show(7)

    assert isinstance(caught.value, ZendeskError)
    assert (caught.value.status, len(asked), time.slept) == (status, 1, [])
    assert (caught.value.retry_after_seconds or 0) >= 600


async def test_a_call_ends_with_the_call_that_it_serves() -> None:
    async def served() -> list[float]:
        set_deadline(5)
        time = MovingTime()
        with pytest.raises(TooManyRequestsError):
            await client(scripted(refusal(429, retry_after="30"))[0], time=time).tickets.show(7)
        return time.slept

    async def late() -> list[httpx2.Request]:
        set_deadline(-1)
        answer, asked = scripted(ok())
        with pytest.raises(ZendeskUnavailableError) as caught:
            await client(answer).tickets.update(7, {})
        assert (caught.value.error, caught.value.done) == ("DeadlineExceeded", False)
        return asked

    assert await asyncio.create_task(served()) == []
    assert await asyncio.create_task(late()) == []


async def test_a_body_that_drips_in_without_end_is_given_up() -> None:
    class Drip(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0)  # waits for nothing: it is the drip, a turn of the loop each

    patience = Patience(attempt_seconds=0.05)
    endless = client(lambda _: httpx2.Response(200, stream=Drip()), patience=patience)

    with pytest.raises(ZendeskUnavailableError) as caught:
        await endless.tickets.update(7, {})

    assert (caught.value.error, caught.value.done) == ("TimeoutError", None)


async def test_a_token_is_never_sent_to_another_address() -> None:
    elsewhere = httpx2.Response(302, headers={"location": "https://evil.example/"})
    answer, asked = scripted(elsewhere)

    with pytest.raises(ZendeskError) as caught:
        await client(answer).tickets.show(7)

    assert (caught.value.error, [r.url.host for r in asked]) == ("Redirected", ["acme.zendesk.com"])


@pytest.mark.parametrize(
    "body", [[], {}, {"ticket": None}, {"ticket": []}, {"ticket": {"id": 7}}, {"ticket": {"id": "x"}}]
)
async def test_an_answer_of_another_shape_is_an_error_of_ours(body: object) -> None:
    with pytest.raises(ZendeskUnavailableError) as caught:
        await client(lambda _: ok(body)).tickets.show(7)

    assert caught.value.error in ("UnexpectedBody", "UnreadableBody")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_no_cause_of_an_error_holds_the_request() -> None:
    with pytest.raises(ZendeskUnavailableError) as caught:
        await client(scripted(httpx2.ReadError)[0]).tickets.update(7, {"comment": {"body": "secret"}})

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_ids_stay_within_their_place_of_the_path() -> None:
    answer, asked = scripted(ok({"job_status": {"id": "x", "status": "completed"}}))

    await client(answer).jobs.show("../users/1?x=#y")

    assert asked[0].url.raw_path == b"/api/v2/job_statuses/..%2Fusers%2F1%3Fx%3D%23y"
