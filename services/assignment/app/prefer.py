"""Before any queue: dedicated support, the same agent, then the distribution to groups (facts: §2.4 to §2.6, D10)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId, IdSource
from libs.telemetry.logs import get_logger
from libs.zendesk.models import Ticket
from services.assignment.app.options import criteria_of, distributes
from services.assignment.app.ports import Store, Transaction, Zendesk
from services.assignment.app.restricted import Restricted
from services.assignment.app.route import Route
from services.assignment.app.rows import PREFERRING, Account, DedicatedRow, QueueRow, TicketRow
from services.assignment.domain.same_agent import Anchor, Criteria, Earlier, Facts, same_agent
from services.assignment.domain.shares import whose_turn
from services.assignment.domain.webhook import TicketFacts

NO_QUEUE = ""
"""Where a ticket is routed that no queue gave."""

ASK_SECONDS = 10.0
"""How long Zendesk may take to say who had a requester's earlier tickets; ours: its own webhooks wait no longer."""
LEASE_SECONDS = 15.0
"""How long nobody else asks for the same ticket: longer than one asks."""

ROUTABLE = ("new", "open")

GROUP_TAG = "playlist_group_"
"""Begins the tags that Playlist's customers have triggers for (facts: §2.6)."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """Agents who should have a ticket, the first first.

    Attributes:
        wait: whether the ticket waits for the first of them when none is free.
    """

    mechanism: str
    agents: tuple[int, ...]
    tags: tuple[str, ...] = ()
    wait: bool = False


class Prefer:
    """Sends a new ticket to the agents whom rules or its requester's history name, if they are free."""

    def __init__(
        self,
        store: Store,
        zendesk: Zendesk,
        route: Route,
        restricted: Restricted,
        clock: Clock,
        ids: IdSource,
        wake: asyncio.Event,
    ) -> None:
        self._store = store
        self._zendesk = zendesk
        self._route = route
        self._restricted = restricted
        self._clock = clock
        self._ids = ids
        self._wake = wake

    @staticmethod
    def wanted(account: Account | None) -> bool:
        """Tell whether the account uses any of it."""
        return account is not None and bool(
            account.options.same_agent_hours or account.options.dedicated or distributes(account.options)
        )

    async def store(
        self, tx: Transaction, facts: Sequence[TicketFacts], *, lease_seconds: float = 0
    ) -> list[int]:
        """Keep facts, inside a transaction that holds the lock; return the new tickets that this is to be called for.

        These are marked in the same transaction: whoever dies before the call ends leaves them to `resume`.

        Args:
            lease_seconds: how long they are in the caller's hand; 0 = `resume` may have them at once.
        """
        if not self.wanted(await tx.directory.account()):
            await tx.tickets.store(facts)
            return []
        unknown = await tx.tickets.unknown({one.id for one in facts})
        await tx.tickets.store(facts)
        waits = {one.id for one in facts if one.assignee_id is None and one.status in ROUTABLE}
        fresh = sorted(unknown & waits)
        if fresh:
            await tx.preferences.begin(fresh, self._clock.now(), lease_seconds)
        return fresh

    async def resume(self, account: AccountId, most: int | None = None) -> None:
        """Take up marked tickets that nobody has in hand, oldest first, until Zendesk does not answer.

        Args:
            most: so many at most.
        """
        done = 0
        while most is None or done < most:
            async with self._store.transaction(account) as tx:
                ticket = await tx.preferences.take(LEASE_SECONDS)
            if ticket is None or await self(account, ticket, f"resumed/{ticket}") is None:
                return
            done += 1

    async def taken(self, account: AccountId, ticket: int) -> bool:
        """Take one marked ticket in hand; False when it is not marked, or in somebody else's."""
        async with self._store.transaction(account) as tx:
            return await tx.preferences.take(LEASE_SECONDS, ticket) is not None

    async def __call__(self, account: AccountId, ticket: int, command: str) -> str | None:
        """Give a marked ticket to a preferred agent; return the decision's id, empty when it goes its ordinary way.

        An agent must be active, in the ticket's group, online and under his inbox limit; daily limits do not
        count (facts: decision 9). While Zendesk does not answer the ticket stays marked, for `PREFERRING` at most,
        and nothing (None) is returned; from then on, as what privacy does not answer, it is as if nobody was named.
        """
        async with self._store.transaction(account) as tx:
            kept, row = await tx.directory.account(), await tx.tickets.one(ticket)
            since = await tx.preferences.since(ticket)
            rules = await tx.directory.dedicated_rules() if kept and kept.options.dedicated else []
        if kept is None or since is None:
            return ""
        wishes: list[_Wish] = []
        if row is not None and row.routing == "waiting":
            wishes, answered = await self._wishes(kept, row, rules)
            if not wishes and not answered and self._clock.now() < since + PREFERRING:
                return None
        await self._route.prepare(account)
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            # INVARIANT: the mark goes in the transaction that decides, so that it decides once and surely.
            if not await tx.preferences.end(ticket):
                return ""
            now = self._clock.now()
            for wish in wishes:
                queue = replace(_pseudo_queue(now), agents=wish.agents)
                for agent in wish.agents:
                    routed = await self._route.within(
                        tx, queue, f"{wish.mechanism}/{command}", now, mechanism=wish.mechanism, only=agent,
                        ticket=ticket, tags=wish.tags,
                    )  # fmt: skip
                    if routed.news:
                        return routed.news[0][0]
                if wish.wait:
                    await tx.tickets.dedicate(ticket, wish.agents[0])
                    return ""
            await self._distribute(tx, ticket, now)
        return ""

    async def _distribute(self, tx: Transaction, ticket: int, now: datetime) -> None:
        """Give a ticket without a group to the group whose turn it is (facts: §2.6)."""
        kept, row = await tx.directory.account(), await tx.tickets.one(ticket)
        if kept is None or not distributes(kept.options):
            return
        if row is None or row.routing != "waiting" or row.facts.group_id is not None:
            return
        turns, tags = await tx.directory.group_turns(), kept.options.group_tags
        place = sum(turns.values()) % tags + 1 if tags else whose_turn(kept.options.group_shares, turns)
        await tx.directory.take_group_turn(place)
        if tags:  # its group comes with what the account's triggers make of the tag: it is not routed before
            await tx.tickets.park(ticket)
        else:
            await tx.tickets.put_group(ticket, place)
        tag = (f"{GROUP_TAG}{place}",) if tags else ()
        await tx.outbox.send_to_group(ticket, place, self._ids.new("grp"), now, tag)
        self._wake.set()

    async def _wishes(
        self, kept: Account, row: TicketRow, rules: list[DedicatedRow]
    ) -> tuple[list[_Wish], bool]:
        """Return whom rules and history name, and whether everybody who was asked answered."""
        found: list[_Wish] = []
        requester = row.facts.requester_id
        # What is known of a requester is used for his tickets only if he may be sent back to an agent.
        allowed = requester is not None and await self._restricted.affinity(kept.account, requester)
        try:
            async with asyncio.timeout(ASK_SECONDS):
                if rules and (rule := await self._rule(kept, row, rules, allowed=allowed)) is not None:
                    found.append(_Wish("dedicated", rule.agents, wait=rule.fallback == "wait"))
                if kept.options.same_agent_hours and allowed and requester is not None:
                    found += await self._same_agent(kept, row, requester)
        except Exception as error:
            get_logger().warning("no preference is known", account=kept.account, why=type(error).__name__)
            return found, False
        return found, True

    async def _same_agent(self, kept: Account, row: TicketRow, requester: int) -> list[_Wish]:
        client, options = await self._zendesk.of(kept.account), kept.options
        criteria = criteria_of(options)
        tickets = await client.tickets.requested(requester, fields=criteria.fields)
        if criteria != Criteria():
            mine = next((t for t in tickets if t.id == row.facts.id), None)
            new = _facts(mine or await client.tickets.show(row.facts.id, fields=criteria.fields))
            if not criteria.admit(new):
                return []
            tickets = [t for t in tickets if criteria.count(_facts(t), new)]
        earlier, anchor = _earlier(tickets, row), Anchor(options.same_agent_anchor)
        agent = same_agent(earlier, self._clock.now(), options.same_agent_hours or 0, anchor)
        tags = (options.same_agent_tag,) if options.same_agent_tag else ()
        return [_Wish("same_agent", (agent,), tags)] if agent is not None else []

    async def _rule(
        self, kept: Account, row: TicketRow, rules: list[DedicatedRow], *, allowed: bool
    ) -> DedicatedRow | None:
        shown: Ticket | None = None
        for rule in (r for r in rules if r.agents):  # one whose agents were erased names nobody
            if rule.kind == "requester":
                if allowed and rule.value == str(row.facts.requester_id):
                    return rule
                continue
            if shown is None:  # organisation and tags are not kept: read when a rule asks for them
                shown = await (await self._zendesk.of(kept.account)).tickets.show(row.facts.id)
            if rule.kind == "tag" and rule.value in shown.tags:
                return rule
            if rule.kind == "organization" and rule.value == str(shown.organization_id):
                return rule
        return None


def _facts(ticket: Ticket) -> Facts:
    return Facts(
        ticket.group_id,
        ticket.brand_id,
        ticket.form_id,
        ticket.priority,
        ticket.channel,
        frozenset(ticket.tags),
        ticket.custom_fields,
    )


def _earlier(tickets: list[Ticket], row: TicketRow) -> list[Earlier]:
    mine = (row.facts.created_at, row.facts.id)
    return [Earlier(t.created_at, t.assignee_id) for t in tickets if (t.created_at, t.id) < mine]


def _pseudo_queue(now: datetime) -> QueueRow:
    """Return what a round needs of a queue, where no queue gives: real time, so that no daily limit counts."""
    return QueueRow(NO_QUEUE, "", "trigger", 0, "least_active", -1, now, now)
