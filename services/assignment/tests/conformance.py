"""Everything that an implementation of the port `Store` promises."""

from __future__ import annotations

from services.assignment.tests.absences_conformance import AbsencesConformance
from services.assignment.tests.decisions_conformance import DecisionsConformance
from services.assignment.tests.directory_conformance import DirectoryConformance
from services.assignment.tests.dry_conformance import DryConformance
from services.assignment.tests.offers_conformance import OffersConformance
from services.assignment.tests.outbox_conformance import OutboxConformance
from services.assignment.tests.rotations_conformance import RotationsConformance
from services.assignment.tests.rules_conformance import RulesConformance
from services.assignment.tests.statuses_conformance import StatusesConformance
from services.assignment.tests.store_conformance import StoreConformance
from services.assignment.tests.tickets_conformance import TicketsConformance
from services.assignment.tests.usage_conformance import UsageConformance
from services.assignment.tests.views_conformance import ViewsConformance
from services.assignment.tests.why_conformance import WhyConformance


class Conformance(
    StoreConformance,
    DirectoryConformance,
    TicketsConformance,
    DecisionsConformance,
    OutboxConformance,
    OffersConformance,
    AbsencesConformance,
    RulesConformance,
    RotationsConformance,
    ViewsConformance,
    UsageConformance,
    StatusesConformance,
    DryConformance,
    WhyConformance,
):
    """All suites. Subclasses give `store`, and `account`: one that nobody used before."""
