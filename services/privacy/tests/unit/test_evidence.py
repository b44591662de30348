"""The chain shows what was changed; the register tells what is forbidden."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libs.kernel.errors import InvalidRequestError
from libs.kernel.ids import AccountId
from services.privacy.domain.identity import Identity
from services.privacy.tests.house import ACCOUNT, ADMIN, EMAIL, USER, WHO, House

PERSON: Identity = ("zendesk_user_id", str(USER))
EVERY = [1, 2, 3, 4, 5, 6]


async def test_a_changed_event_is_found() -> None:
    house = House()
    await house.run(await house.ask(auto=True))
    whole = house.store.tables.events[ACCOUNT]
    assert (await house.use.verify_chain(ACCOUNT))[:2] == (len(whole), 0)

    for place, row in enumerate(whole):
        changed = replace(row, facts={**row.facts, "actor": "service:nobody"})
        house.store.tables.events[ACCOUNT] = (*whole[:place], changed, *whole[place + 1 :])
        assert (await house.use.verify_chain(ACCOUNT))[1] == place + 1
        house.store.tables.events[ACCOUNT] = (*whole[:place], *whole[place + 1 :])
        fault = (await house.use.verify_chain(ACCOUNT))[1]
        assert fault == (place + 2 if place + 1 < len(whole) else 0)


async def test_an_account_without_events_has_a_whole_chain() -> None:
    assert await House().use.verify_chain(ACCOUNT) == (0, 0, bytes(32))


async def test_a_restriction_is_in_force_at_once_and_can_be_lifted() -> None:
    house = House()
    restrictions = house.use.restrictions
    assert await restrictions.check(ACCOUNT, [PERSON], EVERY) == ([], 0)

    assert await restrictions.set(ACCOUNT, PERSON, [3, 2, 3], ADMIN, restricted=True) == 1

    assert await restrictions.check(ACCOUNT, [PERSON, ("zendesk_user_id", "5")], EVERY) == (
        [(PERSON, [2, 3])],
        1,
    )
    assert await restrictions.check(ACCOUNT, [PERSON], [1]) == ([], 1)
    assert await restrictions.check(AccountId("acc-2"), [PERSON], EVERY) == ([], 0)
    assert await restrictions.set(ACCOUNT, PERSON, [2], ADMIN, restricted=False) == 2
    assert await restrictions.check(ACCOUNT, [PERSON], EVERY) == ([(PERSON, [3])], 2)
    types = [e.type for e in house.store.tables.events[ACCOUNT]]
    assert types == ["RESTRICTED", "RESTRICTION_LIFTED"]


async def test_an_erased_person_stays_forbidden() -> None:
    house = House()
    await house.run(await house.ask(auto=True))
    restrictions = house.use.restrictions

    found, revision = await restrictions.check(ACCOUNT, WHO, EVERY)

    assert found == [(PERSON, EVERY), (("email", EMAIL), [5])]
    await restrictions.set(ACCOUNT, PERSON, EVERY, ADMIN, restricted=False)
    assert await restrictions.check(ACCOUNT, WHO, EVERY) == (found, revision + 1)


@pytest.mark.parametrize("purposes", [[0], [7], [1, 99]])
async def test_an_unknown_use_is_refused(purposes: list[int]) -> None:
    house = House()

    with pytest.raises(InvalidRequestError):
        await house.use.restrictions.set(ACCOUNT, PERSON, purposes, ADMIN, restricted=True)
    with pytest.raises(InvalidRequestError):
        await house.use.restrictions.check(ACCOUNT, [PERSON], purposes)
