"""Kills this process with SIGKILL at the await it is told, and serves such deaths over standard input."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any


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


def serve(work: Callable[[str, Executioner], Awaitable[object]]) -> None:
    """Read lines until standard input ends: a number, and what the work is about.

    Each line has a process of its own and one line of answer: `done` when the work ended before the await of that
    number came, else `killed`. The imports are paid once; a kill is a real one: no `finally` runs, sockets close,
    PostgreSQL rolls back.
    """
    for line in sys.stdin:
        number, _, about = line.strip().partition(" ")
        if os.fork() == 0:
            executioner = Executioner(int(number))
            loop = asyncio.new_event_loop()
            loop.set_task_factory(executioner.factory)
            loop.run_until_complete(_awaited(work(about, executioner)))
            os._exit(0)
        _, status = os.wait()
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        answer = "killed" if killed else "done" if status == 0 else f"failed {status}"
        print(answer, flush=True)  # noqa: T201 - this is the answer


async def _awaited(work: Awaitable[object]) -> None:
    await work
