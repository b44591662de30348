"""The windows of one process."""

import pytest

from libs.kernel.clock import ManualClock
from libs.zendesk.tests.windows_conformance import WindowsConformance
from libs.zendesk.windows import MemoryWindows, Windows


class TestMemoryWindows(WindowsConformance):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def windows(self, clock: ManualClock) -> Windows:
        return MemoryWindows(clock)
