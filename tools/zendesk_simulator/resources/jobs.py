"""Background jobs: queued, working, completed on the clock; results null until then (facts: Zendesk §2.5).

A job's work is done when it is due, not when it is queued: what others write in between, it meets.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import Refusal, not_found, too_many_values
from tools.zendesk_simulator.faults import job_break, rows_to_do
from tools.zendesk_simulator.lifecycle import RUNNERS, SWEEPS, run
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.state import Account, Job, Row

MAXIMUM_AT_ONCE = 30
KEPT_SECONDS = 86_400


def start_job(
    account: Account,
    kind: str,
    total: int | None,
    results: Any = None,
    work: Row | None = None,
    *,
    internal: bool = False,
) -> Row:
    """Queue a job and return its first status.

    Args:
        kind: `job_type` of the answers.
        total: number of rows; None where Zendesk tells none.
        results: of a job whose effects are done already.
        work: what is to be done when the job is due: `{"kind": …}`, see `lifecycle.RUNNERS`.
        internal: nobody asked for it by the API: it is not refused.

    Raises:
        Refusal: 429 TooManyJobs.
    """
    now = account.now().timestamp()
    running = sum(j.done_at > now or j.outcome == "never" for j in account.jobs.values())
    if not internal and running >= MAXIMUM_AT_ONCE:
        raise Refusal(
            429,
            {"error": "TooManyJobs", "description": "Too many jobs are currently queued or running"},
            {"retry-after": "5"},
        )
    job = Job(f"V3-{secrets.token_hex(16)}", kind, total, now, now + account.job_seconds, results, work)
    if not internal:
        job.outcome, job.rows = job_break()
    account.jobs[job.id] = job
    if work is not None:
        if account.job_seconds <= 0:
            run(account, job.id)
        else:
            account.waiting.append(job.id)
    return show(account, job)


def works(kind: str) -> Callable[[Callable[[Account, Row], Any]], Callable[[Account, Row], Any]]:
    """Register a function as what a job of a kind does."""

    def register(runner: Callable[[Account, Row], Any]) -> Callable[[Account, Row], Any]:
        RUNNERS[kind] = runner
        return runner

    return register


def each(
    items: Iterable[tuple[int, Any]], action: str, done: str, one: Callable[[Any], int | None]
) -> list[Row]:
    """Do the rows of a job one by one; a refused row fails alone.

    Args:
        items: (index or id that a failed row shows, value).
        one: does a row; returns its id.
    """
    results: list[Row] = []
    for index, (row_id, value) in enumerate(rows_to_do(items)):
        try:
            results.append({"action": action, "status": done, "success": True, "id": one(value) or row_id})
        except Refusal as refusal:
            row = {"action": action, "status": "Failed", "success": False, "id": row_id, "index": index}
            results.append({**row, "error": refusal.code, "details": refusal.details})
    return results


def not_created(index: int, refusal: Refusal) -> Row:
    """Return the failed row of a job that creates; there is no id, so it is 0."""
    row = {"index": index, "id": 0, "action": "create", "success": False, "status": "Failed"}
    return {**row, "error": refusal.code, "details": refusal.details}


_DOING = {"Bulk Create Ticket": "Creating Ticket", "Bulk Create User": "Creating User"}


def show(account: Account, job: Job) -> Row:
    """Return a job's status as of now."""
    now = account.now().timestamp()
    ended = now >= job.done_at and job.work is None
    done, failed = ended and job.outcome == "completed", ended and job.outcome == "failed"
    working = ended or now > job.created_at + account.job_seconds / 2
    progress, message = None, None
    if done:
        progress = job.total
        message = f"Completed at {datetime.fromtimestamp(job.done_at, UTC):%Y-%m-%d %H:%M:%S} +0000"
    elif failed:
        message = "The job failed"
    elif working and job.total:
        progress = max(1, job.total // 2)
        message = f"{_DOING.get(job.type, 'Processing')} #{progress}"
    return {
        "id": job.id,
        "job_type": job.type,
        "url": account.url(f"job_statuses/{job.id}"),
        "total": job.total,
        "progress": progress,
        "status": "completed" if done else "failed" if failed else "working" if working else "queued",
        "message": message,
        "results": job.results if done else None,
    }


def forget_old(account: Account) -> None:
    """Drop what finished more than a day ago."""
    limit = account.now().timestamp() - KEPT_SECONDS
    for job_id in [j.id for j in account.jobs.values() if j.done_at < limit]:
        del account.jobs[job_id]


SWEEPS.append(forget_old)


async def show_job(call: Call) -> Row:
    call.require_agent()
    job = call.account.jobs.get(call.path["id"])
    if job is None:
        raise not_found()
    return {"job_status": show(call.account, job)}


async def list_jobs(call: Call) -> Row:
    call.require_agent()
    jobs = [{"id": place, "job": job} for place, job in enumerate(call.account.jobs.values(), 1)]
    return page(
        call.request,
        call.account,
        "job_statuses",
        jobs,
        "job_statuses",
        lambda r: show(call.account, r["job"]),
    )


async def show_many(call: Call) -> Row:
    call.require_agent()
    ids = [i for i in str(call.query.get("ids", "")).split(",") if i]
    if len(ids) > 100:
        raise too_many_values(100)
    rows = [show(call.account, call.account.jobs[i]) for i in ids if i in call.account.jobs]
    return {"job_statuses": rows, "next_page": None, "previous_page": None, "count": len(rows)}


ROUTES = [
    endpoint("GET", "job_statuses", list_jobs),
    endpoint("GET", "job_statuses/show_many", show_many),
    endpoint("GET", "job_statuses/{id}", show_job),
]
