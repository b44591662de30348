"""The store on PostgreSQL keeps the promises of the port."""

import pytest

from services.assignment.tests.conformance import Conformance

pytestmark = pytest.mark.integration


class TestSqlStore(Conformance):
    """The suites, on PostgreSQL."""
