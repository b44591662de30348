"""The store on PostgreSQL keeps the promises of the port."""

import pytest

from services.assignment.tests.offers_conformance import OffersConformance
from services.assignment.tests.store_conformance import StoreConformance

pytestmark = pytest.mark.integration


class TestSqlStore(StoreConformance, OffersConformance):
    """The suite, on PostgreSQL."""
