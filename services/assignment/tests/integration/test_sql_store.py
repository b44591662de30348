"""The store on PostgreSQL keeps the promises of the port."""

import pytest

from services.assignment.tests.store_conformance import StoreConformance

pytestmark = pytest.mark.integration


class TestSqlStore(StoreConformance):
    """The suite, on PostgreSQL."""
