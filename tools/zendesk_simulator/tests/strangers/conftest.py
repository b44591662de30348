"""Fixtures: one simulator a session, one account a test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tools.zendesk_simulator.tests.strangers.running import Account, Generated, Running
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
def generated(account: Account) -> Iterator[Generated]:
    client = account.generated()
    yield client
    client.close()


@pytest.fixture
def api(generated: Generated) -> Any:
    return generated.api
