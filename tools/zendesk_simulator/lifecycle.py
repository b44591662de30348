"""What happens in an account as time passes: jobs run, the trash empties itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tools.zendesk_simulator.errors import Refusal
from tools.zendesk_simulator.faults import rows_at_most
from tools.zendesk_simulator.state import Account, Row

SWEEP_SECONDS = 60.0
Runner = Callable[[Account, Row], Any]
RUNNERS: dict[str, Runner] = {}
"""What does a job's work, by its kind; returns the job's results."""
SWEEPS: list[Callable[[Account], None]] = []
"""What is looked through once a minute."""


def advance(account: Account) -> None:
    """Bring an account to the present: every request does this first, and so may the control API."""
    now = account.now().timestamp()
    while account.waiting and account.jobs[account.waiting[0]].done_at <= now:
        run(account, account.waiting.pop(0))
    if now >= account.next_sweep:
        account.next_sweep = now + SWEEP_SECONDS
        for sweep in SWEEPS:
            sweep(account)


def run(account: Account, job_id: str) -> None:
    """Do a job's work."""
    job = account.jobs[job_id]
    work, job.work = job.work, None
    if work is None:
        return
    try:
        with rows_at_most(job.rows):
            job.results = RUNNERS[work["kind"]](account, work)
    except Refusal as refusal:
        job.results = {"success": False, "errors": refusal.body}
