"""Background jobs of Zendesk."""

from __future__ import annotations

import asyncio

from libs.zendesk.errors import JobFailedError
from libs.zendesk.models import Job
from libs.zendesk.transport import Transport


class Jobs:
    """`/api/v2/job_statuses`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def show(self, job_id: str) -> Job:
        """Return a job's state; kept one day by Zendesk."""
        return Job.of((await self._transport.call("GET", "job_statuses/{id}", {"id": job_id}))["job_status"])

    async def wait(self, job: Job, *, seconds: float = 60.0, poll_seconds: float = 0.25) -> Job:
        """Wait until the job has ended and return it. A failed row inside it is not an error here.

        Raises:
            JobFailedError: the job failed as a whole, or did not end within `seconds`.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not job.ended:
            if loop.time() >= end:
                raise JobFailedError("GET job_statuses/{id}", 0, "NotEnded", done=None)
            await asyncio.sleep(poll_seconds)
            poll_seconds = min(2.0, poll_seconds * 1.5)
            job = await self.show(job.id)
        if job.status != "completed":
            raise JobFailedError("GET job_statuses/{id}", 200, job.status, done=None)
        return job
