"""Durable jobs and timers on the service's own PostgreSQL: sagas, retention, whatever outlives a process.

A thin skin over `procrastinate`. Delivery is at least once and there is no fencing: a worker that was only
paused goes on after its job was given away. So a handler takes a run number from its own row before it works
and writes only `WHERE run = :run`, and effects outside carry an idempotency key.

    jobs = Jobs(url, "privacy")
    jobs.register("privacy.step", handle_step)
    async with database.transaction() as connection:
        await jobs.defer(connection, "privacy.step", {"request": request_id}, lock=request_id)

A service runs `jobs.work` and `jobs.rescue` among its supervised loops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import procrastinate
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.jobs import Status
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database
from libs.db.jobs_schema import SCHEMA, create_jobs_schema
from libs.db.locks import try_advisory_lock
from libs.db.urls import libpq_url

__all__ = ["Handler", "JobRun", "Jobs", "create_jobs_schema"]

KEEP_HOURS = 30 * 24
HEARTBEAT_SECONDS = 10.0
STALLED_SECONDS = 30.0
RESCUE_SECONDS = 10.0
POLL_SECONDS = 5.0
MAXIMUM_RUNS = 5


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run of a job.

    Attributes:
        id: of the job.
        attempt: 0 for the first run; also counts runs that a rescue started.
        arguments: what `defer` was given.
    """

    id: int
    attempt: int
    arguments: Mapping[str, str]


Handler = Callable[[JobRun], Awaitable[None]]


class Jobs:
    """The durable jobs of one service.

    Args:
        url: of the service's database, whose migrations called `create_jobs_schema`; not through a
            transaction pooler, which loses LISTEN.
        service: names the queue, e.g. `privacy`.
        concurrency: jobs that one process runs at a time.
        stalled_seconds: how long a worker may be silent before its jobs are given to others.
        poll_seconds: new jobs are notified, but retried, rescued and delayed ones are found by polling.
    """

    def __init__(
        self,
        url: str,
        service: str,
        *,
        concurrency: int = 10,
        stalled_seconds: float = STALLED_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._service = service
        self._concurrency = concurrency
        self._stalled_seconds = stalled_seconds
        self._poll_seconds = poll_seconds
        self._url = url
        self._app = self._new_app()
        self._register_cleaning()

    def register(self, name: str, handler: Handler, *, max_attempts: int = 10, backoff_base: int = 2) -> None:
        """Say who works off jobs called `name`.

        Args:
            name: stands in the rows, so it outlives a move of the code; starts with the service.
            handler: raises to have the job run again.
            max_attempts: runs before the job is left as failed, for a person.
            backoff_base: the delay after attempt n is this to the power of n + 1, in seconds.
        """
        retry = procrastinate.RetryStrategy(max_attempts=max_attempts, exponential_wait=backoff_base)

        async def run(context: procrastinate.JobContext, /, **arguments: str) -> None:
            await handler(JobRun(context.job.id or 0, context.job.attempts, arguments))

        self._app.task(name=name, queue=self._service, retry=retry, pass_context=True)(run)

    async def defer(
        self,
        connection: AsyncConnection,
        name: str,
        arguments: Mapping[str, str],
        *,
        lock: str | None = None,
        unless_waiting: str | None = None,
        after_seconds: float = 0.0,
    ) -> bool:
        """Put a job into the queue as part of the caller's transaction: a rollback takes it away.

        Args:
            connection: of the open transaction, on this service's database.
            name: of a registered job.
            arguments: opaque ids only; they are stored and logged in clear.
            lock: jobs with the same lock run one after the other.
            unless_waiting: at most one waiting job has this key.
            after_seconds: not before so much time has passed on the machine's clock (liveness, not business
                time).

        Returns:
            False when a job with the key `unless_waiting` waits already.
        """
        raw = (await connection.get_raw_connection()).driver_connection
        path = text(
            "SELECT set_config('search_path', :schema || ',' || current_setting('search_path'), true)"
        )
        await connection.execute(path, {"schema": SCHEMA})
        options: dict[str, Any] = {"lock": lock, "queueing_lock": unless_waiting, "connection": raw}
        if after_seconds:
            options["schedule_in"] = {"milliseconds": int(after_seconds * 1000)}
        deferrer = self._app.configure_task(name, queue=self._service, **options)
        try:
            async with connection.begin_nested():
                await deferrer.defer_async(**arguments)
        except AlreadyEnqueued:
            return False
        return True

    async def work(self) -> None:
        """Work jobs off until cancelled, then let running ones finish for 15 s.

        Returns when the connection to the database was lost: the caller starts it again.
        """
        async with self._app.open_async():
            await self._app.run_worker_async(
                queues=[self._service],
                name=self._service,
                concurrency=self._concurrency,
                delete_jobs="successful",
                fetch_job_polling_interval=self._poll_seconds,
                install_signal_handlers=False,
                shutdown_graceful_timeout=15,
                update_heartbeat_interval=min(HEARTBEAT_SECONDS, self._stalled_seconds / 3),
                stalled_worker_timeout=self._stalled_seconds,
            )

    async def rescue(self) -> None:
        """Give the jobs of dead workers to live ones, every 10 s until cancelled.

        Not itself a job: a rescuer that waits behind a dead worker's lock could never start.
        """
        database = Database(self._url, 1, name=f"setlist-{self._service}-rescue")
        try:
            async with self._new_app().open_async() as app:
                while True:
                    await self.rescue_once(database, app)
                    await asyncio.sleep(RESCUE_SECONDS)
        finally:
            await database.close()

    async def rescue_once(self, database: Database, app: procrastinate.App) -> int:
        """Put stalled jobs back; returns how many. One replica at a time does it, the others return 0."""
        async with database.transaction() as connection:
            if not await try_advisory_lock(connection, f"{self._service}.rescue"):
                return 0
            manager, rescued = app.job_manager, 0
            stalled = await manager.get_stalled_jobs(
                queue=self._service, seconds_since_heartbeat=self._stalled_seconds
            )
            for job in stalled:
                try:
                    if job.attempts >= MAXIMUM_RUNS:  # it kills its workers: leave it for a person
                        await manager.finish_job(job, Status.FAILED, delete_job=False)
                    else:
                        await manager.retry_job(job)
                        rescued += 1
                except UniqueViolation:  # its twin waits and will do the work
                    await manager.finish_job(job, Status.FAILED, delete_job=False)
                except ConnectorException:  # it ended meanwhile
                    continue
            return rescued

    def _new_app(self) -> procrastinate.App:
        options = {"options": f"-c search_path={SCHEMA}", "application_name": f"setlist-{self._service}-jobs"}
        return procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=libpq_url(self._url), kwargs=options, min_size=1, max_size=5
            )
        )

    def _register_cleaning(self) -> None:
        """Remove old failed jobs daily; without any periodic task a worker also never notices a dead listener."""
        name = f"{self._service}.remove_old_jobs"

        @self._app.periodic(cron="17 3 * * *")
        @self._app.task(name=name, queue=self._service, queueing_lock=name, retry=True)
        async def clean(timestamp: int) -> None:
            await self._app.job_manager.delete_old_jobs(
                nb_hours=KEEP_HOURS,
                queue=self._service,
                include_failed=True,
                include_cancelled=True,
                include_aborted=True,
            )
