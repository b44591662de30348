"""What Zendesk answers when it refuses, as exceptions.

No body is kept beyond codes, names of fields and Zendesk's fixed sentences (`libs.zendesk.refusals`), so no
ticket text and no person can reach a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from libs.zendesk.refusals import code_of, description_of, details_of, request_id_of

if TYPE_CHECKING:
    from libs.zendesk.models import Job


class ZendeskError(Exception):
    """Zendesk did not do what was asked.

    Attributes:
        status: HTTP status, or 0 when no answer came.
        error: Zendesk's error code or title, e.g. `RecordNotFound`.
        route: method and path template, e.g. `PUT tickets/{id}`; never an id.
        done: False when the call was certainly not carried out, None when that is unknown.
        retry_after_seconds: when Zendesk said so; 0 means at once.
        details: names of the fields that were refused.
        reasons: codes of what was wrong with each of them.
        description: Zendesk's sentence, if it is one that quotes nothing of what was sent.
        request_id: Zendesk's id of the request.
    """

    def __init__(
        self,
        route: str,
        status: int,
        error: str = "",
        *,
        done: bool | None = False,
        retry_after_seconds: float | None = None,
        reasons: Mapping[str, tuple[str, ...]] | None = None,
        description: str = "",
        request_id: str = "",
    ) -> None:
        self.route = route
        self.status = status
        self.error = error
        self.done = done
        self.retry_after_seconds = retry_after_seconds
        self.reasons = dict(reasons or {})
        self.details = tuple(self.reasons)
        self.description = description
        self.request_id = request_id
        super().__init__(self._message())

    def _message(self) -> str:
        said = ", ".join(part for part in (self.error, self.description, *self._faults()) if part)
        text = f"`{self.route}` answered {self.status or 'nothing'}" + (f": {said}" if said else "")
        return text + (f" (request {self.request_id})" if self.request_id else "")

    def _faults(self) -> list[str]:
        return [" ".join((name, *codes)) for name, codes in self.reasons.items()]


class InvalidTokenError(ZendeskError):
    """401: the access token is dead, and so is the newer one that was asked for."""


class ForbiddenError(ZendeskError):
    """403: the token's user may not do this, or its scope is too small."""


class RecordNotFoundError(ZendeskError):
    """404."""


class UpdateConflictError(ZendeskError):
    """409: safe update found a newer ticket."""


class RecordInvalidError(ZendeskError):
    """422 or 400: Zendesk refused the values."""


class CursorExpiredError(RecordInvalidError):
    """Zendesk does not know the cursor any more: the walk begins anew."""


class TooManyRequestsError(ZendeskError):
    """429, or the budget is used up for longer than the caller waits: nothing was done."""


class TooManyJobsError(TooManyRequestsError):
    """429: 30 jobs of the account are queued or running."""


class ZendeskUnavailableError(ZendeskError):
    """5xx, time-out, connection lost or unreadable body: whether it was done is unknown."""


class JobFailedError(ZendeskError):
    """A background job of Zendesk ended as failed, or did not end in time.

    Attributes:
        job: its last known state; items that it did tell about are in its results.
    """

    def __init__(self, route: str, status: int, error: str, job: Job) -> None:
        super().__init__(route, status, error, done=None)
        self.job = job


_BY_STATUS: dict[int, type[ZendeskError]] = {
    400: RecordInvalidError,
    401: InvalidTokenError,
    403: ForbiddenError,
    404: RecordNotFoundError,
    409: UpdateConflictError,
    410: RecordNotFoundError,
    422: RecordInvalidError,
    429: TooManyRequestsError,
}


def error_of(
    route: str,
    status: int,
    body: object,
    retry_after_seconds: float | None,
    headers: Mapping[str, str] | None = None,
) -> ZendeskError:
    """Return the exception for an answer that is no success.

    Args:
        body: the JSON value, None when it could not be read.
        headers: with lower-case names.
    """
    code = code_of(body)
    kind = _BY_STATUS.get(status, ZendeskUnavailableError if status >= 500 else ZendeskError)
    if status == 429 and code == "TooManyJobs":
        kind = TooManyJobsError
    return kind(
        route,
        status,
        code,
        done=None if status >= 500 else False,
        retry_after_seconds=retry_after_seconds,
        reasons=details_of(body),
        description=description_of(body),
        request_id=request_id_of(headers or {}),
    )
