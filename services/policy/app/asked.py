"""What is asked, by whom, and how fresh the answer must be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from libs.decision.decide import NOTHING_GIVEN, Given
from libs.decision.rows import User
from libs.decision.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Freshness:
    """How fresh an answer must be (facts: policy §4.4).

    Nothing set: the state at hand, confirmed to be the present one within the last second.

    Attributes:
        at_least: a revision that must be seen; from a token.
        fully: every write that was committed before the call must be seen.
        exact: decide on this revision.
        exact_time: decide on the revision that was the last one then.
        now: second of the epoch that counts as the present, for `exact`; None = when that was written.
    """

    at_least: int = 0
    fully: bool = False
    exact: int | None = None
    exact_time: datetime | None = None
    now: float | None = None


PRESENT = Freshness()


@dataclass(frozen=True, slots=True)
class Asked:
    """What every question about rights is asked with.

    Attributes:
        acting: the person who asks, with the role that his verified token states: it wins over the
            directory, which knows no end users (facts: policy, decision 9). None = a service asks.
        caller: the service that the call came from, for the log.
        trace: id of the trace, for the log.
    """

    acting: User | None = None
    freshness: Freshness = PRESENT
    caller: str = ""
    trace: str = ""

    def person(self, snapshot: Snapshot, user_id: int) -> User | None:
        """Return a user with his role; what the token does not state is the directory's."""
        known = snapshot.users.get(user_id)
        if self.acting is None or self.acting.id != user_id:
            return known
        if known is None:
            return self.acting
        return replace(known, role=self.acting.role, custom_role_id=self.acting.custom_role_id)


class Question(NamedTuple):
    """May this user do this to this record?

    Attributes:
        object_type: key of an object type, or else of a relationship type; `object:{key}` and
            `relationship:{key}` mean the one kind whatever types of the other there are.
        record: empty = the type itself, or a record to be created.
        role: that a service states for the user; empty = the directory's, or the acting person's.
        custom_role_id: with `role`.
        given: what stands in for what is stored.
    """

    user: int
    action: str
    object_type: str
    record: str = ""
    role: str = ""
    custom_role_id: int | None = None
    given: Given = NOTHING_GIVEN

    def subject(self, snapshot: Snapshot, asked: Asked) -> User | None:
        """Return whom the question is about; None = unknown."""
        person = asked.person(snapshot, self.user)
        if not self.role:
            return person
        known = person or User(self.user, self.role)
        return replace(known, role=self.role, custom_role_id=self.custom_role_id)
