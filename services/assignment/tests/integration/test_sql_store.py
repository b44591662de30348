"""The store on PostgreSQL keeps the promises of the port."""

import pytest

from services.assignment.tests.decisions_conformance import DecisionsConformance
from services.assignment.tests.directory_conformance import DirectoryConformance
from services.assignment.tests.offers_conformance import OffersConformance
from services.assignment.tests.outbox_conformance import OutboxConformance
from services.assignment.tests.rules_conformance import RulesConformance
from services.assignment.tests.store_conformance import StoreConformance
from services.assignment.tests.tickets_conformance import TicketsConformance

pytestmark = pytest.mark.integration


class TestSqlStore(
    StoreConformance,
    DirectoryConformance,
    TicketsConformance,
    DecisionsConformance,
    OutboxConformance,
    OffersConformance,
    RulesConformance,
):
    """The suite, on PostgreSQL."""
