"""Business hours (facts: Zendesk §8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from libs.zendesk.models.json import Json


@dataclass(frozen=True, slots=True)
class Schedule:
    """A week of business hours.

    Attributes:
        time_zone: Zendesk's name of the zone; compute with it, never with a fixed offset.
        intervals: (start, end) in minutes since Sunday 00:00 of that zone, 0..10080.
    """

    id: int
    name: str
    time_zone: str
    intervals: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, row: Json) -> Schedule:
        """Read Zendesk's `schedule` object."""
        return cls(
            int(row["id"]),
            str(row.get("name") or ""),
            str(row.get("time_zone") or ""),
            tuple((int(i["start_time"]), int(i["end_time"])) for i in row.get("intervals") or ()),
        )


@dataclass(frozen=True, slots=True)
class Holiday:
    """Days without business hours; both ends belong to it."""

    id: int
    name: str
    start_date: date
    end_date: date

    @classmethod
    def of(cls, row: Json) -> Holiday:
        """Read Zendesk's `holiday` object."""
        return cls(
            int(row["id"]),
            str(row.get("name") or ""),
            date.fromisoformat(str(row["start_date"])),
            date.fromisoformat(str(row["end_date"])),
        )
