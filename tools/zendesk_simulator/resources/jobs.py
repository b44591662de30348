"""Background jobs: queued, working, completed on the clock; results null until then (facts: Zendesk §2.5)."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import Refusal, not_found
from tools.zendesk_simulator.state import Account, Job, Row

MAXIMUM_AT_ONCE = 30


def start_job(account: Account, kind: str, total: int | None, results: Any) -> Row:
    """Queue a job whose effects are done already, and return its first status."""
    now = account.now().timestamp()
    if sum(j.done_at > now for j in account.jobs.values()) >= MAXIMUM_AT_ONCE:
        raise Refusal(
            429,
            {"error": "TooManyJobs", "description": "Too many jobs are queued or running"},
            {"retry-after": "5"},
        )
    job = Job(f"V3-{secrets.token_hex(16)}", kind, total, now, now + account.job_seconds, results)
    account.jobs[job.id] = job
    return show(account, job)


def show(account: Account, job: Job) -> Row:
    """Return a job's status as of now."""
    now = account.now().timestamp()
    done = now >= job.done_at
    status = (
        "completed" if done else "working" if now > job.created_at + account.job_seconds / 2 else "queued"
    )
    message = None
    if done:
        message = f"Completed at {datetime.fromtimestamp(job.done_at, UTC):%Y-%m-%d %H:%M:%S} +0000"
    return {
        "id": job.id,
        "job_type": job.type,
        "url": account.url(f"job_statuses/{job.id}"),
        "total": job.total,
        "progress": job.total if done else None,
        "status": status,
        "message": message,
        "results": job.results if done else None,
    }


async def show_job(call: Call) -> Row:
    call.require_agent()
    job = call.account.jobs.get(call.path["id"])
    if job is None:
        raise not_found()
    return {"job_status": show(call.account, job)}


async def list_jobs(call: Call) -> Row:
    call.require_agent()
    rows = [show(call.account, j) for j in call.account.jobs.values()]
    return {"job_statuses": rows, "next_page": None, "previous_page": None, "count": len(rows)}


async def show_many(call: Call) -> Row:
    call.require_agent()
    ids = str(call.query.get("ids", "")).split(",")
    rows = [show(call.account, call.account.jobs[i]) for i in ids if i in call.account.jobs]
    return {"job_statuses": rows, "next_page": None, "previous_page": None, "count": len(rows)}


ROUTES = [
    endpoint("GET", "job_statuses", list_jobs),
    endpoint("GET", "job_statuses/show_many", show_many),
    endpoint("GET", "job_statuses/{id}", show_job),
]
