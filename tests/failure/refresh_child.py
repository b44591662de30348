"""A replica of auth that refreshes one grant and kills itself with SIGKILL at the await it is told.

`python -m tests.failure.refresh_child SETTINGS` reads numbers from standard input, forks a process for each and
answers with one line: `done` when the refresh ended before that await came, else `killed`. The imports are paid
once; a kill is a real one: no `finally` runs, sockets close, PostgreSQL rolls back.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import types
from collections.abc import Coroutine, Generator
from pathlib import Path
from typing import Any

from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.db.data_keys import SqlDataKeys
from libs.db.engine import Database
from libs.kernel.clock import SystemClock
from libs.kernel.ids import AccountId, RandomIds
from libs.zendesk.client import new_pool
from services.auth.adapters.file_journal import FileJournal
from services.auth.adapters.sql.store import SqlStore
from services.auth.adapters.zendesk import HttpZendesk
from services.auth.app.authorize import OAuthClient
from services.auth.app.pairs import Pairs
from services.auth.app.refresh_grant import RefreshGrant


class Executioner:
    """Counts the suspensions of every task of this process, once it is armed.

    Args:
        at: number of the suspension at which the process dies.
    """

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0
        self.armed = False

    def factory(self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        """Make a task whose every suspension is seen."""
        return asyncio.Task(self._watched(work), loop=loop, **options)

    async def _watched(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await self._stepped(work)

    @types.coroutine
    def _stepped(self, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        steps = work.__await__()
        error: BaseException | None = None
        while True:
            try:
                waits = next(steps) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value
            self._suspended()
            error = None
            try:
                yield waits
            except BaseException as thrown:
                error = thrown

    def _suspended(self) -> None:
        if self.armed:
            self.seen += 1
            if self.seen == self.at:
                os.kill(os.getpid(), signal.SIGKILL)


async def refresh(settings: dict[str, str], executioner: Executioner) -> None:
    """Refresh the account's grant as auth does it."""
    clock = SystemClock()
    database = Database(settings["database"], 2)
    pairs = Pairs(Envelope(LocalKeyProvider([bytes(range(32))]), SqlDataKeys(database)))
    store, pool = SqlStore(database), new_pool()
    zendesk = HttpZendesk(
        pool, OAuthClient("setlist", settings["secret"], "https://edge.test/cb", "read write")
    )
    one = RefreshGrant(
        store,
        zendesk,
        pairs,
        FileJournal(Path(settings["journal"])),
        clock,
        RandomIds(clock),
        settings["template"],
    )
    async with store.transaction(AccountId(settings["account"])) as tx:
        installation, grant = await tx.installations.get(), await tx.grants.get()
    if installation is None or grant is None:
        raise AssertionError("there is nothing to refresh")
    executioner.armed = True
    await asyncio.create_task(one(installation, grant))
    executioner.armed = False
    await pool.aclose()
    await database.close()


def main() -> None:
    """Serve until standard input ends."""
    settings = json.loads(sys.argv[1])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            executioner = Executioner(int(line))
            loop = asyncio.new_event_loop()
            loop.set_task_factory(executioner.factory)
            loop.run_until_complete(refresh(settings, executioner))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        answer = "killed" if killed else "done" if status == 0 else f"failed {status}"
        print(answer, flush=True)  # noqa: T201 - this is the answer


if __name__ == "__main__":
    main()
