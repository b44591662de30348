"""Each kind of job tells success in its own way; the client reads them all, item by item."""

from __future__ import annotations

import httpx2
import pytest

from libs.zendesk.errors import JobFailedError, ZendeskUnavailableError
from libs.zendesk.models import Job, JobResult, Json
from libs.zendesk.tests.answering import MovingTime, client, ok, refusal, scripted


def status(state: str, results: object = None) -> httpx2.Response:
    return ok({"job_status": {"id": "j", "status": state, "results": results}})


@pytest.mark.parametrize(
    ("row", "result"),
    [
        ({"index": 2, "id": 101, "account_id": 5}, JobResult(101, True, index=2)),
        ({"id": 7, "status": "Created"}, JobResult(7, True)),
        ({"action": "update", "status": "Updated", "success": True, "id": 101}, JobResult(101, True)),
        ({"id": 7, "success": False, "error": "UpdateConflict"}, JobResult(7, False, "UpdateConflict")),
        ({"id": 7, "status": "Failed"}, JobResult(7, False, "Failed")),
        (
            {"index": 0, "error": "TicketCreateError", "details": "x"},
            JobResult(None, False, "TicketCreateError", 0),
        ),
        ({"id": 0, "error": "PermissionDenied"}, JobResult(None, False, "PermissionDenied")),
        ({"success": True}, JobResult(None, True)),
    ],
)
def test_a_result_is_read_however_it_is_spelt(row: Json, result: JobResult) -> None:
    assert JobResult.of(row) == result


@pytest.mark.parametrize(
    ("results", "count"), [(None, 0), ([], 0), ({"success": True}, 1), ([{"id": 1, "success": True}], 1)]
)
def test_results_are_a_list_an_object_or_null(results: object, count: int) -> None:
    assert len(Job.of({"id": "j", "status": "completed", "results": results}).results) == count


async def test_polling_slows_down() -> None:
    time = MovingTime()
    answer, asked = scripted(*[status("working")] * 6, status("completed", []))

    await client(answer, time=time).jobs.wait(Job("j", "queued"), poll_seconds=1)

    assert time.slept == [1, 1.5, 2.25, 3.375, 5, 5, 5]
    assert len(asked) == 7


async def test_a_job_that_has_ended_is_not_asked_about() -> None:
    answer, asked = scripted(refusal(500))
    done = Job("j", "completed")

    assert await client(answer).jobs.wait(done) is done
    assert asked == []


@pytest.mark.parametrize("state", ["failed", "killed"])
async def test_a_job_that_failed_carries_what_it_did_tell(state: str) -> None:
    answer, _ = scripted(status(state, [{"id": 1, "success": True}, {"id": 2, "error": "Boom"}]))

    with pytest.raises(JobFailedError) as caught:
        await client(answer).jobs.wait(Job("j", "queued"))

    assert caught.value.error == state
    assert [(r.id, r.success) for r in caught.value.job.results] == [(1, True), (2, False)]
    assert [r.id for r in caught.value.job.refused] == [2]


async def test_a_job_that_zendesk_forgot_is_told() -> None:
    with pytest.raises(JobFailedError) as caught:
        await client(scripted(refusal(404))[0]).jobs.wait(Job("j", "queued"))

    assert (caught.value.error, caught.value.done) == ("Forgotten", None)


async def test_a_zendesk_that_stays_away_ends_the_waiting() -> None:
    with pytest.raises((ZendeskUnavailableError, JobFailedError)):
        await client(scripted(refusal(503))[0]).jobs.wait(Job("j", "queued"), seconds=5)
