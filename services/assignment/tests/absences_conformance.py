"""What every implementation of the port `Store` promises of absences, tags and notes, and of tickets that go back."""

from __future__ import annotations

from dataclasses import replace

from libs.kernel.ids import AccountId
from services.assignment.app.options import QueueOptions
from services.assignment.app.ports import Store
from services.assignment.app.rows import Round, Write
from services.assignment.domain.decide import decide
from services.assignment.tests.store_conformance import T0, Q, agent, facts, later, round_, seed

ASKED = replace(Q, options=QueueOptions(offer_seconds=60, ageing_seconds=5))


class AbsencesConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_open_tickets_without_a_write_on_its_way_can_be_given_back(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 5, agents=(1,))
        mine = [facts(n, assignee_id=1, status="open") for n in (1, 2)]
        async with store.transaction(account) as tx:
            await round_(tx)
            await tx.tickets.store(
                [*mine, facts(3, assignee_id=1, status="pending"), facts(4, assignee_id=2)]
            )
            assert await tx.outbox.releasable(1) == (2, 0)
            assert await tx.outbox.releasable(1, 2) == (1, 0)
            assert await tx.outbox.release_tickets(1, ["rel-a"], later(5), 2) == 1
            assert await tx.outbox.releasable(1) == (1, 1)
            assert await tx.outbox.releasable(1, 2) == (0, 1)
            assert await tx.outbox.release_tickets(1, ["rel-b"], later(6)) == 2
            taken = await tx.outbox.take(9, 60)
            assert [w for w in taken if w.kind == "release"] == [
                Write("rel-a", 2, 1, 7, "", later(5), 1, 1, "release"),
                Write("rel-b", 1, 1, 7, "", later(6), 1, 1, "release"),
            ]

    async def test_a_ticket_given_back_is_news_even_in_the_same_second(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, agents=(1,))
        async with store.transaction(account) as tx:
            await round_(tx)
            first = (await tx.outbox.take(1, 60))[0]
            await tx.outbox.finish(first, "confirmed")
            await tx.tickets.store([facts(1, updated_at=later(1), assignee_id=1, status="open")])
            await tx.outbox.release_tickets(1, ["rel"], later(1))
            write = (await tx.outbox.take(1, 60))[0]
            assert await tx.outbox.finish(write, "confirmed")
            assert not await tx.outbox.finish(write, "confirmed")
            await tx.tickets.store([facts(1, updated_at=later(1), status="open")])
            row = await tx.tickets.one(1)
            assert row is not None
            assert (row.routing, row.facts.assignee_id) == ("waiting", None)
            assert await round_(tx, later(2)) == 1  # its assignment ended, so that it may be assigned anew
            assert (await tx.decisions.head(), await tx.outbox.releasable(1)) == (2, (0, 0))

    async def test_tags_go_with_an_assignment(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            await tx.decisions.lock()
            known = await tx.directory.account()
            assert known is not None
            snapshot = await tx.decisions.snapshot(known, Q, T0, None)
            made = Round(Q, "same_agent", "c", T0, ("a", "b"))
            await tx.decisions.keep(known, made, snapshot, decide(snapshot), ["dec-0"])
            assert [w.tags for w in await tx.outbox.take(5, 60)] == [("a", "b")]

    async def test_a_ticket_waits_since_it_came_back(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1, 2, 3)
        async with store.transaction(account) as tx:
            known = await tx.directory.account()
            assert known is not None
            await tx.tickets.store(
                [facts(1, updated_at=later(1), assignee_id=4), facts(2, updated_at=later(1))]
            )
            await tx.tickets.store([facts(3, updated_at=later(1), status="solved")])
            await tx.tickets.store([facts(n, updated_at=later(5)) for n in (1, 2, 3)])
            snapshot = await tx.decisions.snapshot(known, Q, later(9), None)
            assert {t.id: t.entered_at for t in snapshot.tickets} == {1: later(5), 2: None, 3: later(5)}

    async def test_absences_and_activities_are_kept(self, store: Store, account: AccountId) -> None:
        await seed(store, account)
        async with store.transaction(account) as tx:
            assert await tx.directory.set_statuses({1: "away", 2: "away"}, later(1), {1: "idle"}) == 2
            assert await tx.directory.set_statuses({1: "away", 2: "away"}, later(2), {1: "idle"}) == 0
            assert await tx.directory.set_statuses({1: "away"}, later(3), {1: "out_of_office"}) == 1
            assert await tx.directory.put_activity(1, later(4))
            assert not await tx.directory.put_activity(99, later(4))
            await tx.directory.sync_agents([agent(1), agent(2)], [(1, 7), (2, 7)])
            one, two = await tx.directory.agent(1), await tx.directory.agent(2)
            assert one is not None
            assert two is not None
            assert (one.status, one.status_at, one.absence, one.active_at) == (
                "away",
                later(1),
                "out_of_office",
                later(4),
            )
            assert (two.absence, two.active_at) == ("", None)
            await tx.tickets.store([facts(1)])
            known = await tx.directory.account()
            assert known is not None
            snapshot = await tx.decisions.snapshot(known, Q, later(5), None)
            assert [a.absence for a in snapshot.agents] == ["out_of_office", ""]
            assert await tx.directory.set_statuses({1: "online"}, later(6)) == 1
            one = await tx.directory.agent(1)
            assert one is not None
            assert one.absence == ""

    async def test_notes_go_with_tags_and_with_what_goes_back(self, store: Store, account: AccountId) -> None:
        await seed(store, account, agents=(1,))
        ids = iter(f"w-{n}" for n in range(9))
        async with store.transaction(account) as tx:
            await tx.tickets.store([facts(1, assignee_id=1), facts(2, assignee_id=1)])
            await tx.outbox.release_tickets(1, ["rel"], later(1), 2, ("t",), "back `soon`")
            await tx.outbox.tag_tickets(1, ["new"], "t", lambda: next(ids), later(1), "back `soon`")
            await tx.outbox.untag_tickets(1, "u", lambda: next(ids), later(2))
        async with store.transaction(account) as tx:
            taken = await tx.outbox.take(9, 60)
            assert [(w.kind, w.ticket, w.note) for w in taken] == [
                ("release", 2, "back `soon`"),
                ("tag", 1, "back `soon`"),
            ]
            await tx.outbox.tag_tickets(1, ["new"], "v", lambda: next(ids), later(3))
        async with store.transaction(account) as tx:
            assert {w.note for w in await tx.outbox.take(9, 60)} == {""}

    async def test_tags_are_put_on_once_and_taken_off_what_got_them(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, agents=(1,))
        ids = iter(f"w-{n}" for n in range(99))
        mine = [facts(1, assignee_id=1), facts(2, assignee_id=1, status="pending"), facts(3, assignee_id=2)]
        async with store.transaction(account) as tx:
            await tx.tickets.store([*mine, facts(4, assignee_id=1)])
            assert await tx.outbox.release_tickets(1, ["rel"], later(1), 4, ("t",)) == 1
            assert await tx.outbox.tag_tickets(1, ["new", "open"], "t", lambda: next(ids), later(1)) == 1
            assert (
                await tx.outbox.tag_tickets(1, ["new", "open", "pending"], "t", lambda: next(ids), later(2))
                == 1
            )
            assert (
                await tx.outbox.tag_tickets(1, ["new", "open", "pending"], "t", lambda: next(ids), later(2))
                == 0
            )
            taken = {w.id: w for w in await tx.outbox.take(9, 60)}
            assert [(w.kind, w.ticket, w.tags) for w in taken.values()] == [
                ("release", 4, ("t",)), ("tag", 1, ("t",)), ("tag", 2, ("t",)),
            ]  # fmt: skip
            assert await tx.outbox.finish(taken["w-0"], "confirmed")
            assert await tx.outbox.releasable(1) == (1, 1)
            assert await tx.outbox.untag_tickets(1, "other", lambda: next(ids), later(3)) == 0
            assert await tx.outbox.untag_tickets(1, "t", lambda: next(ids), later(3)) == 3
            assert await tx.outbox.untag_tickets(1, "t", lambda: next(ids), later(4)) == 0
            assert not await tx.outbox.finish(taken["w-1"], "confirmed")
            again = await tx.outbox.take(9, 60)
            assert [(w.kind, w.ticket) for w in again] == [("untag", 1), ("untag", 2), ("untag", 4)]
            assert await tx.outbox.tag_tickets(1, ["new"], "t", lambda: next(ids), later(5)) == 1
            assert await tx.outbox.untag_tickets(1, "t", lambda: next(ids), later(6)) == 1
            await tx.tickets.store([facts(1, updated_at=later(9), assignee_id=2)])
            row = await tx.tickets.one(1)
            assert row is not None
            assert row.facts.assignee_id == 2

    async def test_a_group_s_turn_is_counted_and_given_back_if_the_ticket_does_not_get_there(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account)
        async with store.transaction(account) as tx:
            await tx.tickets.store([facts(n, group_id=None) for n in (1, 2)])
            assert await tx.directory.group_turns() == {}
            for ticket in (1, 2):
                await tx.directory.take_group_turn(7)
                await tx.tickets.put_group(ticket, 7)
                await tx.outbox.send_to_group(ticket, 7, f"grp-{ticket}", later(ticket))
            await tx.tickets.store([facts(1, group_id=None, updated_at=later(1))])
            await tx.tickets.store([facts(2, group_id=8, updated_at=later(1))])
            rows = [await tx.tickets.one(n) for n in (1, 2)]
            assert [row.facts.group_id for row in rows if row] == [7, 8]
            first, second = await tx.outbox.take(9, 60)
            assert first == Write("grp-1", 1, 0, 7, "", later(1), 1, 1, "group")
            assert await tx.outbox.finish(first, "confirmed")
            assert await tx.directory.group_turns() == {7: 2}
            assert await tx.outbox.finish(second, "conflict")
            assert await tx.directory.group_turns() == {7: 1}
            await tx.tickets.store([facts(1, group_id=None, updated_at=later(3))])
            row = await tx.tickets.one(1)
            assert row is not None
            assert row.facts.group_id is None
            await tx.directory.forget_group_turns()
            assert await tx.directory.group_turns() == {}
