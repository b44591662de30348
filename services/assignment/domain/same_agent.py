"""Same agent: a requester's new ticket goes to who has his earlier ones (facts: §2.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Anchor(StrEnum):
    """From which ticket of the unbroken run the window counts; `oldest` is the vendor's."""

    OLDEST = "oldest"
    NEWEST = "newest"


class Match(StrEnum):
    """What must be the same of the new ticket and of an earlier one."""

    GROUP = "group"
    BRAND = "brand"
    FORM = "form"


@dataclass(frozen=True, slots=True)
class Facts:
    """What criteria and conditions look at: read from Zendesk when it is decided, and not kept.

    Attributes:
        fields: values of ticket fields by id, of those that are asked for.
    """

    group: int | None = None
    brand: int | None = None
    form: int | None = None
    priority: str | None = None
    channel: str | None = None
    tags: frozenset[str] = frozenset()
    fields: Mapping[int, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Criteria:
    """For which new tickets there is a same agent, and which earlier ones count (facts: §2.4, options).

    Attributes:
        match: what must be the same of both.
        fields: ids of ticket fields whose values must be.
        priorities, channels, tags: of which a new ticket has one; empty = any, or none.
        excluded_tags: of which it has none.
    """

    match: tuple[Match, ...] = ()
    fields: tuple[int, ...] = ()
    priorities: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    excluded_tags: tuple[str, ...] = ()

    def admit(self, new: Facts) -> bool:
        """Tell whether a new ticket may go to the same agent at all."""
        return (
            (not self.priorities or new.priority in self.priorities)
            and (not self.channels or new.channel in self.channels)
            and (not self.tags or not new.tags.isdisjoint(self.tags))
            and new.tags.isdisjoint(self.excluded_tags)
        )

    def count(self, earlier: Facts, new: Facts) -> bool:
        """Tell whether an earlier ticket counts for a new one: all criteria are met; nothing is the same as nothing."""
        pairs = [(getattr(earlier, one), getattr(new, one)) for one in self.match]
        pairs += [(earlier.fields.get(one), new.fields.get(one)) for one in self.fields]
        return all(one == other and one not in _NOTHING for one, other in pairs)


_NOTHING: tuple[object, ...] = (None, "", [], False)
"""What Zendesk shows of a field that nobody filled in; a checkbox that is off is one."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier ticket of the requester.

    Attributes:
        agent: its present assignee; None = nobody, which neither breaks nor extends a run.
    """

    requested_at: datetime
    agent: int | None


def same_agent(
    earlier: Iterable[Earlier], now: datetime, window_hours: int, anchor: Anchor = Anchor.OLDEST
) -> int | None:
    """Return the agent of the newest earlier ticket, if his run with the requester is inside the window.

    The run is his unbroken sequence of the requester's tickets up to the newest. A run exactly as old as the
    window counts: the one inclusive boundary (facts: decisions 7 and 20). Hours are real hours, over clock
    changes too.
    """
    known = [(one.requested_at.astimezone(UTC), one.agent) for one in earlier if one.agent is not None]
    known.sort(reverse=True)
    if not known:
        return None
    agent = known[0][1]
    at = known[0][0]
    if anchor is Anchor.OLDEST:
        for requested_at, other in known:
            if other != agent:
                break
            at = requested_at
    return agent if now.astimezone(UTC) - at <= timedelta(hours=window_hours) else None
