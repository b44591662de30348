"""Queues and the account's defaults: create, change, pause, delete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from libs.kernel.clock import Clock
from libs.kernel.errors import EtagMismatchError, FieldViolation, InvalidRequestError, NotFoundError
from libs.kernel.ids import AccountId
from services.assignment.app import pulling
from services.assignment.app.overflow import require_sound
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.rows import Account, DedicatedRow, QueueRow
from services.assignment.app.schedules import require_usable
from services.assignment.app.statuses import require_sound_statuses, require_status
from services.assignment.domain.errors import NotSyncedError

_CREATE = "CreateQueue"


class ManageQueues:
    """Changes rules; each change raises the account's rule version.

    Every change holds the account's lock, so that a round sees the rules before or after it, never half.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(
        self, account: AccountId, queue: QueueRow, request_id: str, body: bytes, *, validate_only: bool
    ) -> QueueRow:
        """Keep a new queue.

        Args:
            request_id: the same one again gives the queue that was made then; empty = always a new one.
            body: what was asked for, to tell a repeat from another request.

        Raises:
            NotSyncedError: the account is unknown.
            InvalidRequestError: it goes by skills, which the account does not use, by a schedule that nobody can
                go by, its overflow leads nowhere, it offers tickets and waits to be asked for them, it names an unknown agent, or a status that does not exist.
            RequestIdReusedError: the request id came with another body before.
        """
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            kept = await self._account(tx)
            _require_skills(kept, queue)
            pulling.require_sound(queue)
            require_status(kept.options, queue.options.missed_status, "queue.missed_status")
            answered = await tx.requests.find(account, request_id, _CREATE, body)
            if answered is not None:
                return await tx.directory.queue(answered.decode()) or queue
            if (known := await tx.directory.queue(queue.id)) is not None:
                return known  # a repeat so late that its answer is forgotten
            await require_usable(tx, queue.options.schedule, "schedule_id")
            await _require_agents(tx, queue)
            require_sound(queue, await tx.directory.queues())
            if not validate_only:
                await tx.directory.put_queue(queue)
                await tx.requests.remember(account, request_id, _CREATE, body, queue.id.encode())
                await self._raise_version(tx)
        return queue

    async def change(
        self,
        account: AccountId,
        queue_id: str,
        etag: str,
        change: Callable[[QueueRow], QueueRow],
        *,
        validate_only: bool,
    ) -> QueueRow:
        """Change a queue.

        Raises:
            NotFoundError: no such queue.
            EtagMismatchError: it changed since it was read.
        """
        async with self._store.transaction(account) as tx:
            known = await self._locked(tx, account, queue_id, etag)
            changed = replace(change(known), version=known.version + 1, updated_at=self._clock.now())
            kept = await self._account(tx)
            _require_skills(kept, changed)
            pulling.require_sound(changed)
            if changed.options.missed_status != known.options.missed_status:
                require_status(kept.options, changed.options.missed_status, "queue.missed_status")
            await _require_agents(tx, changed, known)
            require_sound(changed, await tx.directory.queues())
            if changed.options.schedule != known.options.schedule:
                await require_usable(tx, changed.options.schedule, "schedule_id")
            if not validate_only:
                await tx.directory.put_queue(changed)
                await self._raise_version(tx)
                if changed.model != known.model:  # credits by other rules are no part of an exact share
                    await tx.rotations.put_stretch(queue_id, "")
        return changed

    async def reset_rotation(self, account: AccountId, queue_id: str, *, validate_only: bool) -> int:
        """Begin a queue's rotation anew: nobody is owed a turn; return how many were, or owed some.

        Raises:
            NotFoundError: no such queue.
        """
        async with self._store.transaction(account, dry=validate_only) as tx:
            await self._locked(tx, account, queue_id, "")
            return await tx.rotations.reset(queue_id)

    async def delete(self, account: AccountId, queue_id: str, etag: str, *, validate_only: bool) -> None:
        """Delete a queue; its tickets go on waiting.

        Raises:
            NotFoundError: no such queue.
            EtagMismatchError: it changed since it was read.
        """
        async with self._store.transaction(account) as tx:
            await self._locked(tx, account, queue_id, etag)
            if not validate_only:
                await tx.directory.delete_queue(queue_id)
                await tx.rotations.reset(queue_id)
                await self._raise_version(tx)

    async def settings(self, account: AccountId) -> Account:
        """Return the account's defaults.

        Raises:
            NotSyncedError: the account is unknown.
        """
        async with self._store.transaction(account) as tx:
            return await self._account(tx)

    async def change_settings(
        self, account: AccountId, etag: str, change: Callable[[Account], Account], *, validate_only: bool
    ) -> Account:
        """Change the account's defaults.

        Raises:
            NotSyncedError: the account is unknown.
            EtagMismatchError: they changed since they were read.
            InvalidRequestError: a queue goes by skills that shall not be used any more, or a group has a share twice
                or no members, or a status that is named does not exist.
        """
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            known = await self._account(tx)
            if etag and etag != str(known.rule_version):
                name = f"accounts/{account}/settings"
                raise EtagMismatchError("the settings changed since they were read", metadata={"name": name})
            changed = replace(change(known), rule_version=known.rule_version + 1)
            if _statuses(changed) != _statuses(known):
                require_sound_statuses(changed)
            if known.options.skills and not changed.options.skills:
                for queue in await tx.directory.queues():
                    _require_skills(changed, queue)
            _require_same_agent(changed)
            anew = _distribution(changed) != _distribution(known)
            if anew:
                await _require_groups(tx, changed)
            if not validate_only:
                if anew:
                    await tx.directory.forget_group_turns()
                await tx.directory.put_account(changed)
        return changed

    async def replace_dedicated_rules(
        self, account: AccountId, rules: Sequence[DedicatedRow], *, validate_only: bool
    ) -> list[tuple[int, int]]:
        """Replace the rules of dedicated support, unless they name unknown agents; return these, by place.

        Raises:
            NotSyncedError: the account is unknown.
        """
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            known = await self._account(tx)
            agents = {row.user_id for row in await tx.directory.agents()}
            unknown = [(n, a) for n, rule in enumerate(rules) for a in rule.agents if a not in agents]
            if not unknown and not validate_only:
                await tx.directory.put_dedicated_rules(rules)
                options = replace(known.options, dedicated=len(rules))
                await tx.directory.put_account(replace(known, options=options))
                await self._raise_version(tx)
        return unknown

    @staticmethod
    async def _locked(tx: Transaction, account: AccountId, queue_id: str, etag: str) -> QueueRow:
        name = f"accounts/{account}/queues/{queue_id}"
        await tx.decisions.lock()
        known = await tx.directory.queue(queue_id)
        if known is None:
            raise NotFoundError("no such queue", metadata={"name": name})
        if etag and etag != str(known.version):
            raise EtagMismatchError("the queue changed since it was read", metadata={"name": name})
        return known

    @staticmethod
    async def _account(tx: Transaction) -> Account:
        account = await tx.directory.account()
        if account is None:
            raise NotSyncedError("nothing is known of this account yet: sync it first")
        return account

    async def _raise_version(self, tx: Transaction) -> None:
        account = await self._account(tx)
        await tx.directory.put_account(replace(account, rule_version=account.rule_version + 1))


def _require_skills(account: Account, queue: QueueRow) -> None:
    if queue.model == "skills" and not account.options.skills:
        raise InvalidRequestError(
            f"the queue `{queue.title}` goes by skills, which the account does not use",
            violations=[
                FieldViolation(
                    "model",
                    "set `skills` in the account's settings and sync the account, or choose another model",
                )
            ],
        )


async def _require_agents(tx: Transaction, queue: QueueRow, before: QueueRow | None = None) -> None:
    """Refuse agents who are not there; those that the queue named before may have gone meanwhile."""
    named = [*enumerate(queue.agents)]
    weighted = [*enumerate(agent for agent, _ in queue.options.weights)]
    old = {*before.agents, *(agent for agent, _ in before.options.weights)} if before is not None else set()
    if all(agent in old for _, agent in (*named, *weighted)):
        return
    known = old | {row.user_id for row in await tx.directory.agents()}
    faults = [
        FieldViolation(
            f"queue.{field}[{place}]",
            f"`{agent}` is no active agent of this account: sync the account, or choose another agent",
        )
        for field, agents in (("agent_ids", named), ("weights", weighted))
        for place, agent in agents
        if agent not in known
    ]
    if faults:
        raise InvalidRequestError("the queue names an agent who is not in this account", violations=faults)


def _statuses(account: Account) -> tuple[object, ...]:
    options = account.options
    return account.default_status, options.statuses, options.role_statuses, options.ooo_statuses


def _require_same_agent(account: Account) -> None:
    ours = set(account.fields.values())
    faults = [
        FieldViolation(
            f"settings.same_agent.match_field_ids[{place}]",
            f"`{field}` is written by ourselves, with another value on every ticket: choose a field of your own",
        )
        for place, field in enumerate(account.options.same_agent_fields)
        if field in ours
    ]
    if faults:
        raise InvalidRequestError("no two tickets would match", violations=faults)


def _distribution(account: Account) -> tuple[object, int]:
    return account.options.group_shares, account.options.group_tags


async def _require_groups(tx: Transaction, account: Account) -> None:
    groups = [group for group, _ in account.options.group_shares]
    manned = {group for agent in await tx.directory.agents() for group in agent.groups}
    faults = [
        FieldViolation(f"settings.group_shares[{place}]", said)
        for place, group in enumerate(groups)
        if (
            said := f"`{group}` has a share already: name each group once"
            if group in groups[:place]
            else f"`{group}` has no agents: add some to it in Zendesk and sync the account"
            if group not in manned
            else ""
        )
    ]
    if groups and account.options.group_tags:
        said = (
            "tickets go to groups by shares or by tags, not by both: set `group_tags` to 0, or give no shares"
        )
        faults.append(FieldViolation("settings.group_tags", said))
    if faults:
        raise InvalidRequestError("tickets cannot be distributed like that", violations=faults)
