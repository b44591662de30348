"""The memory store keeps the promises of the port."""

import pytest

from libs.kernel.ids import AccountId
from services.assignment.adapters.memory.store import MemoryStore
from services.assignment.app.ports import Store
from services.assignment.tests.conformance import Conformance


class TestMemoryStore(Conformance):
    """The suites, in memory."""

    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

    @pytest.fixture
    def account(self) -> AccountId:
        return AccountId("acc-1")
