"""The steps at our own services: erase, then search by a path that shares nothing with it (facts: privacy §13)."""

from __future__ import annotations

from services.privacy.app.make_plan import counted_at
from services.privacy.app.ports import Counts, Participants, StepRefusedError
from services.privacy.app.work import Done, Intents, Work


class ParticipantSteps:
    """Each method is one step of one participant, whose name is the last part of the step's id."""

    def __init__(self, participants: Participants, intend: Intents) -> None:
        self._participants = participants
        self._intend = intend

    async def erase(self, work: Work) -> Done:
        """Erase the person there."""
        await self._intend(work)
        counts, data_map = await self._erase(work, work.step.id)
        return Done(counts, {"data_map_hash": data_map}, destroyed=True)

    async def verify(self, work: Work) -> Done:
        """Search what is left there; what came back since (a webhook, a sync) is erased once more.

        Raises:
            StepRefusedError: something is left, or cannot be searched.
        """
        name = _participant(work)
        present, searched = await self._search(work)
        if not present:
            return Done(data={"searched": searched, "present": 0})
        await self._intend(work)
        # Another node than before: the same one would only repeat its answer.
        counts, _ = await self._erase(work, f"{work.step.id}/{work.step.run}")
        present, searched = await self._search(work)
        if present:
            raise StepRefusedError(f"LEFT_AT_PARTICIPANT: {name}: {present}")
        return Done(counts, {"searched": searched, "present": 0}, destroyed=True)

    async def _erase(self, work: Work, node: str) -> tuple[Counts, str]:
        name = _participant(work)
        counts, data_map = await self._participants.erase(
            name, work.account, work.identities, work.request.id, node, work.step.run
        )
        return counted_at(name, counts), data_map

    async def _search(self, work: Work) -> tuple[int, int]:
        """Return in how many columns something is left, and how many were searched."""
        name = _participant(work)
        findings = await self._participants.verify(name, work.account, work.identities)
        if not findings or any(f["result"] not in ("absent", "present") for f in findings):
            raise StepRefusedError(f"NOT_SEARCHED: {name}")
        return sum(f["result"] == "present" for f in findings), len(findings)


def _participant(work: Work) -> str:
    return work.step.id.rpartition("/")[2]
