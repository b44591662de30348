"""The store on PostgreSQL keeps the promises of the port."""

import pytest

from services.assignment.tests.offers_conformance import OffersConformance
from services.assignment.tests.rules_conformance import RulesConformance
from services.assignment.tests.store_conformance import StoreConformance

pytestmark = pytest.mark.integration


class TestSqlStore(StoreConformance, OffersConformance, RulesConformance):
    """The suite, on PostgreSQL."""
