"""Background jobs of Zendesk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from libs.zendesk.errors import JobFailedError, RecordNotFoundError, ZendeskUnavailableError
from libs.zendesk.models import Job
from libs.zendesk.transport import Transport

_ROUTE = "job_statuses/{id}"
_SLOWEST_SECONDS = 5.0


class Jobs:
    """`/api/v2/job_statuses`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def show(self, job_id: str) -> Job:
        """Return a job's state; kept one day by Zendesk.

        Raises:
            RecordNotFoundError: there is none, or it is too old.
        """
        return await self._transport.fetch("GET", _ROUTE, "job_status", Job.of, {"id": job_id})

    async def show_many(self, job_ids: Sequence[str]) -> list[Job]:
        """Return the states of at most 100 jobs."""
        params = {"ids": ",".join(job_ids)}
        return await self._transport.fetch_list(
            "job_statuses/show_many", "job_statuses", Job.of, params=params
        )

    async def wait(self, job: Job, *, seconds: float = 60.0, poll_seconds: float = 0.25) -> Job:
        """Wait until the job has ended and return it with one result per item.

        An item that was refused within a completed job is no error here: look at `Job.refused`.

        Args:
            seconds: how long to wait at most, calls included.
            poll_seconds: first pause; each further one is half as long again, up to 5 s.

        Raises:
            JobFailedError: the job failed as a whole, is forgotten, or did not end within `seconds`; carries
                its last known state with the results that it did tell.
            ZendeskError: as `Transport.call`; a Zendesk that is away for a moment is waited for.
        """
        loop = asyncio.get_running_loop()
        began, slept = loop.time(), 0.0
        while not job.ended:
            if max(loop.time() - began, slept) >= seconds:
                raise JobFailedError(f"GET {_ROUTE}", 0, "NotEnded", job)
            await self._transport.sleep(poll_seconds)
            slept += poll_seconds
            poll_seconds = min(_SLOWEST_SECONDS, poll_seconds * 1.5)
            try:
                job = await self.show(job.id)
            except RecordNotFoundError as error:
                raise JobFailedError(f"GET {_ROUTE}", error.status, "Forgotten", job) from error
            except ZendeskUnavailableError:
                if max(loop.time() - began, slept) >= seconds:
                    raise
        if job.status != "completed":
            raise JobFailedError(f"GET {_ROUTE}", 200, job.status, job)
        return job
