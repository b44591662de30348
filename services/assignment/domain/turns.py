"""By which rule the turns of a round are given, where weights differ (facts: §5.5 and decision 13)."""

from __future__ import annotations

from collections.abc import Sequence

from services.assignment.domain import rotation
from services.assignment.domain.compress import Crew
from services.assignment.domain.profiles import Member

GUARDED_MEMBERS = 256
"""With more, nobody is guarded: to look ahead would cost more than everything else."""


class Turns:
    """The turns of one round.

    Args:
        crew: takes them; its stretch goes on or ends, as the members of the turns say.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._looked = False
        self._members: dict[int, list[Member]] = {}

    def changed(self, profiles: Sequence[int]) -> bool:
        """Tell whether members or weights are not as at the start, before a turn among profiles is accrued."""
        crew = self._crew
        if crew.stretch is None or sum(crew.profiles[p].sharing for p in profiles) < 2:
            return False  # who is alone pays what he gets: nothing changes
        if not self._looked:
            self._looked = True
            crew.stretch = self._found(crew.stretch)
        marks = rotation.stretch_of(sum(crew.profiles[p].marks for p in profiles))
        crew.stretch = marks if crew.stretch in ("", marks) else rotation.CHANGED
        return crew.stretch == rotation.CHANGED

    def _found(self, stretch: str) -> str:
        """Return how a stretch goes on, by the credits: it begins when nobody is owed anything."""
        owed = [member.credit for member in self._crew.members.values()]
        if not any(owed):
            return ""
        # A turn that was given back, or credits of another model, are no part of the exact share.
        return rotation.CHANGED if stretch == "" or sum(owed) != 0 else stretch

    def by_credit(self, one: int, profiles: Sequence[int], turn: tuple[int, int], best: Member) -> bool:
        """Tell whether the largest credit takes a turn; Tijdeman's rule does if a deadline would be missed.

        Args:
            one: number of the ticket's kind; `profiles` may take it.
            turn: its price, and how many share it.
            best: who has the largest credit.
        """
        price, sharing = turn
        if sharing > GUARDED_MEMBERS:
            return True
        if one not in self._members:
            wanted = set(profiles)
            self._members[one] = [m for m in self._crew.members.values() if m.profile.index in wanted]
        owed = [
            (member.credit - price if member is best else member.credit, member.profile.weight)
            for member in self._members[one]
            if member.sharing
        ]
        return not rotation.overdue(owed, price // sum(weight for _, weight in owed), price, sharing)
