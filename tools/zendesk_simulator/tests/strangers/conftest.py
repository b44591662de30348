"""Fixtures: one simulator a session, one account a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from zendesk import Zendesk

from tools.zendesk_simulator.tests.strangers.running import Account, Running
from tools.zendesk_simulator.tests.strangers.the_zenpy import Zenpy


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    simulator = Running()
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def account(running: Running) -> Account:
    return running.account()


@pytest.fixture
def zenpy(account: Account) -> Zenpy:
    return account.zenpy()


@pytest.fixture
def generated(account: Account) -> Iterator[Zendesk]:
    with account.generated() as client:
        yield client
