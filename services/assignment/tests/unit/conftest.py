"""A house in memory."""

import pytest

from libs.kernel.clock import ManualClock
from libs.kernel.ids import CountingIds
from services.assignment.adapters.memory.store import MemoryStore
from services.assignment.app.watch import Bell
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import BILLING, SUPPORT, House
from services.assignment.tests.unit.calls import servicer
from services.assignment.tests.zendesk import LocalZendesk


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def zendesk(clock: ManualClock) -> LocalZendesk:
    """Agents 1 and 2 in Support, 3 in Billing, 9 an admin in both."""
    zendesk = LocalZendesk(clock)
    zendesk.agent(1, SUPPORT)
    zendesk.agent(2, SUPPORT)
    zendesk.agent(3, BILLING)
    zendesk.agent(9, SUPPORT, BILLING, role="admin")
    return zendesk


@pytest.fixture
def lease_seconds() -> list[float]:
    """The store's own clock, in seconds; a test moves it by changing the one number."""
    return [0.0]


@pytest.fixture
def house(clock: ManualClock, zendesk: LocalZendesk, lease_seconds: list[float]) -> House:
    bell = Bell()
    store = MemoryStore(lambda: lease_seconds[0], bell.ring)
    return House(store, zendesk, clock, CountingIds(), bell)


@pytest.fixture
def rpc(house: House) -> AssignmentServicer:
    return servicer(house)
