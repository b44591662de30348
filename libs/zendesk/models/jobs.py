"""Background jobs of Zendesk (facts: Zendesk §2.5)."""

from __future__ import annotations

from dataclasses import dataclass

from libs.zendesk.models.json import Json, optional_id
from libs.zendesk.refusals import code_of


@dataclass(frozen=True, slots=True)
class JobResult:
    """How one item of a job ended.

    Attributes:
        id: of the ticket, user or membership; None when none was made.
        success: whether it was done.
        error: Zendesk's code, e.g. `UpdateConflict`; empty on success. Never its text.
        index: place in the request, where the job tells it (creations).
    """

    id: int | None
    success: bool
    error: str = ""
    index: int | None = None

    @classmethod
    def of(cls, row: Json) -> JobResult:
        """Read one of a job's `results`; each kind of job spells success its own way."""
        error = row.get("error")
        told = row.get("success")
        done = bool(told) if told is not None else not error and row.get("status") != "Failed"
        code = "" if done else code_of(row) or "Failed"
        return cls(optional_id(row.get("id")), done, code, row.get("index"))


@dataclass(frozen=True, slots=True)
class Job:
    """A background job of Zendesk.

    Attributes:
        status: queued, working, completed, failed or killed.
        results: one per item; empty until the end. A permanent deletion has a single one without an id.
        total, progress: items; None where Zendesk does not count them.
    """

    id: str
    status: str
    results: tuple[JobResult, ...] = ()
    total: int | None = None
    progress: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ("completed", "failed", "killed")

    @property
    def refused(self) -> tuple[JobResult, ...]:
        """The items that were not done: the normal way in which errors show."""
        return tuple(r for r in self.results if not r.success)

    @classmethod
    def of(cls, row: Json) -> Job:
        """Read Zendesk's `job_status` object, whose `results` is a list, an object or null."""
        results = row.get("results")
        rows = [results] if isinstance(results, dict) else results or []
        return cls(
            id=str(row["id"]),
            status=str(row.get("status") or ""),
            results=tuple(JobResult.of(r) for r in rows),
            total=row.get("total"),
            progress=row.get("progress"),
        )
