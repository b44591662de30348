"""What every implementation of the port `Store` promises of offers, declines and what rounds need of tickets."""

from __future__ import annotations

from dataclasses import replace

from libs.kernel.ids import AccountId
from services.assignment.app.options import AccountOptions, QueueOptions
from services.assignment.app.ports import Store
from services.assignment.app.rows import DedicatedRow, SkillLink, SkillRow, Write
from services.assignment.domain.model import Need
from services.assignment.domain.rotation import TURN
from services.assignment.tests.store_conformance import T0, Q, facts, later, round_, seed

ASKED = replace(Q, options=QueueOptions(offer_seconds=60, ageing_seconds=5))


async def offered(store: Store, account: AccountId, *tickets: int) -> None:
    await seed(store, account, *tickets, agents=(1,))
    async with store.transaction(account) as tx:
        await tx.directory.put_queue(ASKED)
        await round_(tx, queue=ASKED)


async def credit(store: Store, account: AccountId) -> int:
    """Return the turns owed to agent 1."""
    async with store.transaction(account) as tx:
        await tx.tickets.store([facts(99, created_at=later(900))])
        known = await tx.directory.account()
        assert known is not None
        snapshot = await tx.decisions.snapshot(known, ASKED, later(900), None)
    return snapshot.agents[0].credit


class OffersConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_options_come_back_and_go_with_their_queue(self, store: Store, account: AccountId) -> None:
        async with store.transaction(account) as tx:
            await tx.directory.put_queue(ASKED)
            assert await tx.directory.queue("q") == ASKED
            assert await tx.directory.queues() == [ASKED]
            await tx.directory.put_queue(Q)
            assert await tx.directory.queue("q") == Q
            await tx.directory.put_queue(ASKED)
            assert await tx.directory.delete_queue("q")
            await tx.directory.put_queue(Q)
            assert await tx.directory.queue("q") == Q

    async def test_an_offer_takes_a_place_and_a_count_until_it_ends(
        self, store: Store, account: AccountId
    ) -> None:
        await offered(store, account, 1)
        async with store.transaction(account) as tx:
            known = await tx.directory.account()
            agent, offer = await tx.directory.agent(1), await tx.offers.live(1)
            assert known is not None
            assert agent is not None
            assert offer is not None
            assert (offer.id, offer.agent_id, offer.group_id, offer.queue, offer.state) == (
                "dec-0",
                1,
                7,
                "q",
                "offered",
            )
            assert (offer.offered_at, offer.expires_at) == (T0, later(60))
            assert (agent.open_count, await tx.outbox.pending()) == (1, 0)
            await tx.tickets.store([facts(2)])
            snapshot = await tx.decisions.snapshot(known, ASKED, later(1), None)
            assert [t.id for t in snapshot.tickets] == [2]
            counted = snapshot.agents[0]
            assert (counted.assigned_12h, counted.assigned_12h_queue, counted.assigned_run) == (1, 1, 1)
            assert (snapshot.as_of, snapshot.queue.offer_seconds, snapshot.queue.ageing_seconds) == (
                later(1),
                60,
                5,
            )
            pull = await tx.decisions.snapshot(known, ASKED, later(1), 1)
            assert pull.queue.offer_seconds is None
            assert await tx.offers.due(later(59)) == []
            assert await tx.offers.due(later(60)) == [offer]
            await tx.offers.end(offer, "expired", later(60))
            agent = await tx.directory.agent(1)
            assert agent is not None
            assert agent.open_count == 0
            assert await tx.offers.live(1) is None
            assert await tx.offers.one("dec-0") == replace(offer, state="expired")
            assert await tx.offers.one("other") is None
            assert await tx.offers.due(later(99)) == []
            row = await tx.tickets.one(1)
            assert row is not None
            assert row.routing == "waiting"
        assert account not in await store.with_due_offers(later(999))

    async def test_a_turn_is_taken_by_the_offer_and_given_back_at_its_end(
        self, store: Store, account: AccountId
    ) -> None:
        await offered(store, account, 1)
        before = await credit(store, account)
        async with store.transaction(account) as tx:
            offer = await tx.offers.live(1)
            assert offer is not None
            await tx.offers.end(offer, "declined", later(1))

        assert await credit(store, account) == before + TURN

    async def test_an_accepted_offer_is_an_assignment_with_a_write(
        self, store: Store, account: AccountId
    ) -> None:
        await offered(store, account, 1)
        assert account in await store.with_due_offers(later(60))
        assert account not in await store.with_due_offers(later(59))
        async with store.transaction(account) as tx:
            offer = await tx.offers.live(1)
            assert offer is not None
            await tx.offers.accept(offer, later(9))
            row, decision = await tx.tickets.one(1), await tx.decisions.one("dec-0")
            assert row is not None
            assert decision is not None
            assert (row.routing, row.facts.assignee_id, row.assigned_at) == ("assigned", 1, later(9))
            assert decision.write == "pending"
            assert await tx.outbox.take(5, 60) == [Write("dec-0", 1, 1, 7, "q", later(9), 1, 1)]
            assert await tx.offers.live(1) is None

    async def test_an_offer_is_withdrawn_when_its_ticket_is_no_longer_free(
        self, store: Store, account: AccountId
    ) -> None:
        await offered(store, account, 1, 2, 3)
        before = await credit(store, account)
        async with store.transaction(account) as tx:
            await tx.tickets.store(
                [
                    facts(1, updated_at=later(1), priority="low"),
                    facts(2, updated_at=later(1), assignee_id=4),
                    facts(3, updated_at=later(1), status="solved"),
                ]
            )
            states = [(await tx.offers.one(f"dec-{n}")) for n in range(3)]
            assert [one.state for one in states if one] == ["offered", "withdrawn", "withdrawn"]
            row = await tx.tickets.one(1)
            assert row is not None
            assert row.routing == "offered"

        assert await credit(store, account) == before + 2 * TURN

    async def test_declines_keep_agents_out_until_they_are_lifted(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2)

        async def declined() -> dict[int, set[int]]:
            known = await tx.directory.account()
            assert known is not None
            snapshot = await tx.decisions.snapshot(known, Q, later(1), None)
            return {t.id: set(t.declined) for t in snapshot.tickets}

        async with store.transaction(account) as tx:
            assert await declined() == {1: set(), 2: set()}
            assert await tx.offers.decline(1, 1, "skip", later(1))
            assert await tx.offers.decline(1, 1, "skip", later(2))
            await tx.offers.told(1, 1)
            assert not await tx.offers.decline(1, 1, "skip", later(3))
            await tx.offers.decline(1, 2, "decline", later(9))
            await tx.offers.decline(2, 1, "expire", later(4))
            assert await declined() == {1: {1, 2}, 2: {1}}
            assert await tx.offers.unskip(1) == 1
            assert await tx.offers.unskip(1) == 0
            assert await declined() == {1: {2}, 2: {1}}
            assert await tx.offers.lift([1, 2], later(8)) == 1
            assert await declined() == {1: {2}, 2: set()}
            assert await tx.offers.lift([1], later(9)) == 1
            assert await tx.offers.lift([1], later(9)) == 0

    async def test_inputs_age_from_the_last_decision_that_was_made_from_them(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2)
        async with store.transaction(account) as tx:
            await round_(tx)
            first = await tx.decisions.one("dec-0")
            await tx.tickets.store([facts(3)])
            await round_(tx, later(9))
            second = await tx.decisions.one("dec-2")
            assert first is not None
            assert second is not None
            assert await tx.decisions.forget_inputs(later(9), 0) == 0
            assert await tx.decisions.forget_inputs(later(9), 5) == 1
            assert await tx.decisions.inputs(first.inputs) is None
            assert await tx.decisions.inputs(second.inputs) is not None

    async def test_a_ticket_is_kept_for_its_agent_until_it_is_assigned(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2)
        rules = [DedicatedRow("requester", "9", (2, 1), "wait"), DedicatedRow("tag", "a", (1,))]
        async with store.transaction(account) as tx:
            known = await tx.directory.account()
            assert known is not None
            await tx.tickets.dedicate(1, 2)
            snapshot = await tx.decisions.snapshot(known, Q, later(1), None)
            assert [t.dedicated for t in snapshot.tickets] == [2, None]
            assert [t.id for t in (await tx.decisions.snapshot(known, Q, later(1), None, 2)).tickets] == [2]
            await tx.tickets.store([facts(1, updated_at=later(1))])
            await tx.tickets.store([facts(1, updated_at=later(2), assignee_id=1)])
            await tx.tickets.store([facts(1, updated_at=later(3))])
            snapshot = await tx.decisions.snapshot(known, Q, later(1), None)
            assert [t.dedicated for t in snapshot.tickets] == [None, None]
            assert await tx.directory.dedicated_rules() == []
            await tx.directory.put_dedicated_rules(rules)
            assert await tx.directory.dedicated_rules() == rules
            await tx.directory.put_dedicated_rules([])
            assert await tx.directory.dedicated_rules() == []
            options = AccountOptions(5, "newest", "tag", 2)
            await tx.directory.put_account(replace(known, options=options))
            assert await tx.directory.account() == replace(known, options=options)

    async def test_skills_are_replaced_by_a_sync_and_changed_by_the_stream(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2, 3)
        by_skill = replace(Q, model="skills")
        async with store.transaction(account) as tx:
            known = await tx.directory.account()
            assert known is not None
            assert (await tx.skills.all(), await tx.skills.cursor()) == ([], "")
            await tx.skills.put_known({"b": "L: B", "a": "L: A", "c": "L: C"})
            steps = ((10, 3), (20, 2))
            stepped = SkillRow("b", "L: B", 5, 60, steps)
            assert await tx.skills.put_rule("b", 5, 60, steps) == stepped
            assert stepped in await tx.skills.all()
            assert await tx.skills.put_rule("b", 2, 60) == SkillRow("b", "L: B", 2, 60)
            assert await tx.skills.put_rule("x", 2, 60) is None
            await tx.skills.put_known({"b": "L: Be", "a": "L: A"})
            assert await tx.skills.all() == [SkillRow("a", "L: A"), SkillRow("b", "L: Be", 2, 60)]
            await tx.skills.replace_agents({1: {"a", "b"}, 2: {"a"}})
            assert await tx.skills.put_levels(1, {"a": 5, "x": 6}) == 1
            await tx.skills.replace_agents({1: {"a"}, 2: {"b"}})
            assert await tx.skills.of_agents() == {1: {"a": 5}, 2: {"b": 1}}
            assert await tx.skills.of_agents([2, 9]) == {2: {"b": 1}}
            await tx.skills.apply(
                [
                    SkillLink(True, 1, "b", True),
                    SkillLink(True, 1, "a", True),
                    SkillLink(True, 2, "b", False),
                    SkillLink(False, 1, "b", True),
                    SkillLink(False, 1, "new", True),
                    SkillLink(False, 1, "b", True),
                    SkillLink(False, 2, "a", True),
                    SkillLink(False, 2, "a", False),
                    SkillLink(False, 99, "a", True),
                ]
            )
            assert await tx.skills.of_agents() == {1: {"a": 5, "b": 1}}
            assert await tx.skills.of_waiting() == {1: {"b", "new"}}
            snapshot = await tx.decisions.snapshot(known, by_skill, later(1), None)
            needs = {t.id: t.needs for t in snapshot.tickets}
            assert needs == {1: (Need("b", 2, 60), Need("new")), 2: (), 3: ()}
            assert [a.skills for a in snapshot.agents] == [(("a", 5), ("b", 1)), ()]
            plain = await tx.decisions.snapshot(known, Q, later(1), None)
            assert ([t.needs for t in plain.tickets], plain.agents[0].skills) == ([(), (), ()], ())
            assert await tx.skills.move_cursor("", "1")
            assert not await tx.skills.move_cursor("", "2")
            assert await tx.skills.move_cursor("1", "2")
            assert await tx.skills.cursor() == "2"

    async def test_what_nobody_needs_any_more_is_forgotten(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1, 2, 3)
        async with store.transaction(account) as tx:
            await tx.tickets.store([facts(2, updated_at=later(1), status="closed")])
            await tx.tickets.store([facts(3, updated_at=later(1), assignee_id=4)])
            assert await tx.tickets.known([1, 2, 3, 99]) == {1, 3}
            for ticket in (1, 2, 3, 99):
                await tx.offers.decline(ticket, 1, "skip", later(5))
                await tx.skills.apply([SkillLink(False, ticket, "a", True)])
            assert await tx.offers.forget_declines(later(5), 9) == 0
            assert await tx.offers.forget_declines(later(6), 1) == 1
            assert await tx.offers.forget_declines(later(6), 9) == 2
            assert await tx.offers.unskip(1) == 1
            assert await tx.skills.forget_ended(9) == 1
            assert await tx.skills.forget_ended(9) == 0
            assert await tx.skills.of_waiting() == {1: {"a"}}

    async def test_offers_that_expired_in_a_row_are_counted(self, store: Store, account: AccountId) -> None:
        await seed(store, account, agents=(1,))
        async with store.transaction(account) as tx:
            await tx.directory.put_queue(ASKED)
            counted = []
            for number, state in enumerate(["expired", "declined", "expired", "expired"]):
                await tx.tickets.store([facts(number)])
                await round_(tx, later(number), ASKED)
                offer = await tx.offers.live(number)
                assert offer is not None
                await tx.offers.end(offer, state, later(number + 60))
                await tx.offers.decline(number, 1, "expire", later(number + 60))
                counted.append(await tx.offers.missed(1, T0))
            assert counted == [1, 0, 1, 2]
            assert await tx.offers.missed(1, later(3)) == 1
            assert await tx.offers.missed(2, T0) == 0
