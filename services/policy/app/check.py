"""CheckPermission and its kin: one decision, many, explained."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from functools import partial

from libs.decision.decide import Decided, decide
from libs.decision.snapshot import Snapshot
from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId, IdSource
from services.policy.app import needed
from services.policy.app.asked import Asked, Question
from services.policy.app.basis import Bases, Basis
from services.policy.app.decision_log import EVERY_TYPE, DecisionLog
from services.policy.app.ports import Answer, LogRow, Reading

NOT_LOGGED = Decided(False, "NOT_LOGGED")


class Check:
    """Decides on one state; every decision is logged with its reason, at the time."""

    def __init__(self, bases: Bases, log: DecisionLog, clock: Clock, ids: IdSource) -> None:
        self._bases = bases
        self._log = log
        self._clock = clock
        self._ids = ids

    async def __call__(
        self,
        account: AccountId,
        questions: Sequence[Question],
        asked: Asked | None = None,
        *,
        explain: bool = False,
    ) -> list[Answer]:
        """Answer questions, in their order, each one, all on one revision.

        Args:
            explain: whether each answer tells every rule that was tried.

        Raises:
            RevisionUnknownError, RevisionNotKeptError, DependencyUnavailableError: as `Bases.on`.
        """
        asked = asked or Asked()
        basis = await self._bases.on(account, asked.freshness, partial(_needed, questions))
        began = time.perf_counter_ns()
        decided = [_decide(basis, question, asked, explain=explain) for question in questions]
        spent_us = (time.perf_counter_ns() - began) // 1000 // max(1, len(questions))
        names = [basis.snapshot.name_of(question.object_type) for question in questions]
        settings, audited = basis.settings, _audited(basis, names)
        every = settings.log_share >= 1
        ids = self._ids_of(
            [
                every or self._log.wanted(settings, allowed=one.allowed, audited=name in audited)
                for one, name in zip(decided, names, strict=True)
            ]
        )
        at = self._clock.now()
        rows = [
            LogRow(
                log_id,
                at,
                question.user,
                question.action,
                name,
                question.record,
                one.allowed,
                one.reason,
                basis.revision,
                asked.caller,
                one.row,
                one.relationship,
                asked.trace,
                spent_us,
                basis.lag_ms,
            )
            for question, name, one, log_id in zip(questions, names, decided, ids, strict=True)
            if log_id
        ]
        if not audited:
            self._log.put(account, rows)
        elif not await self._keep(account, rows, audited):
            decided = [
                NOT_LOGGED if name in audited else one for one, name in zip(decided, names, strict=True)
            ]
            ids = ["" if name in audited else log_id for log_id, name in zip(ids, names, strict=True)]
        return [
            Answer(one, basis.revision, log_id, basis.redacted)
            for one, log_id in zip(decided, ids, strict=True)
        ]

    def _ids_of(self, logged: Sequence[bool]) -> list[str]:
        """Return ids of log entries, empty for what is not logged: those of one call sort together."""
        call = self._ids.new("log") if any(logged) else ""
        if len(logged) == 1:
            return [call]
        return [f"{call}-{place:05d}" if wanted else "" for place, wanted in enumerate(logged)]

    async def _keep(self, account: AccountId, rows: Sequence[LogRow], audited: Collection[str]) -> bool:
        """Hand rows to the log; False when those of audited types could not be written."""
        now = [row for row in rows if row.object_type in audited]
        self._log.put(account, [row for row in rows if row.object_type not in audited])
        return not now or await self._log.write(account, now)


def _audited(basis: Basis, names: Sequence[str]) -> frozenset[str]:
    """Return those of these types of which a decision is only given once it is logged."""
    types = basis.settings.audited_types
    if not types or EVERY_TYPE in types:
        return frozenset(names) if types else frozenset()
    return frozenset(basis.snapshot.name_of(key) for key in types).intersection(names)


async def _needed(questions: Sequence[Question], tx: Reading, revision: int, at: int | None) -> Snapshot:
    return await needed.for_questions(tx, questions, revision, at)


def _decide(basis: Basis, question: Question, asked: Asked, *, explain: bool) -> Decided:
    subject = question.subject(basis.snapshot, asked)
    return decide(
        basis.snapshot,
        subject,
        question.action,
        question.object_type,
        question.record,
        basis.now,
        question.given,
        explain=explain,
    )
