"""SyncAccount: copies agents, groups, memberships and views; installs our fields, webhook and trigger."""

from __future__ import annotations

from dataclasses import dataclass, replace

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId, IdSource
from libs.zendesk.client import ZendeskClient
from services.assignment.app.copies import agent_of
from services.assignment.app.ports import Installations, Policy, Sealer, Store, Zendesk
from services.assignment.app.rows import Account, QueueRow
from services.assignment.app.schedules import SyncSchedules
from services.assignment.app.sync_skills import SyncSkills
from services.assignment.app.write_outbox import AUDIT_FIELDS
from services.assignment.domain.webhook import BODY_TEMPLATE

USER_FIELDS = {
    "playlist_rule_id": ("integer", "Playlist Rule ID"),
    "playlist_manager": ("checkbox", "Playlist Manager"),
    "playlist_autoplay": ("checkbox", "Playlist Autoplay"),
}
WEBHOOK_NAME = "Setlist"
TRIGGER_TITLE = "Setlist: tell about tickets"


@dataclass(frozen=True, slots=True)
class Synced:
    """How much was copied."""

    agents: int
    groups: int
    memberships: int
    views: int
    webhook_created: bool


class SyncAccount:
    """Copies what routing needs; safe to repeat."""

    def __init__(
        self,
        store: Store,
        zendesk: Zendesk,
        installations: Installations,
        policy: Policy,
        sealer: Sealer,
        skills: SyncSkills,
        schedules: SyncSchedules,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._store = store
        self._zendesk = zendesk
        self._installations = installations
        self._policy = policy
        self._sealer = sealer
        self._skills = skills
        self._schedules = schedules
        self._clock = clock
        self._ids = ids

    async def __call__(self, account: AccountId, webhook_url: str) -> Synced:
        """Copy and install.

        Args:
            webhook_url: where Zendesk's webhook shall point; empty = leave it.
        """
        client = await self._zendesk.of(account)
        users = await client.users.agents()
        groups = await client.groups.all()
        memberships = [(m.user_id, m.group_id) for m in await client.memberships.all()]
        views = await client.views.active()
        restrictions = await self._installations.restrictions(account)
        now = self._clock.now()
        async with self._store.transaction(account) as tx:
            known = await tx.directory.account() or Account(account, now)
        installed, created = await self._install(client, known, webhook_url)
        kept = replace(installed, synced_at=now, restrictions=restrictions)
        by_user: dict[int, list[int]] = {}
        for user, group in memberships:
            by_user.setdefault(user, []).append(group)
        agents = [agent_of(u, by_user.get(u.id, ()), kept.default_status, now) for u in users]
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            present = await tx.directory.account()
            if present is not None:  # settings and cursor may have moved while Zendesk was asked
                hook = kept if webhook_url else present
                kept = replace(
                    present,
                    # Until the export was read once it is read from here: what came since must not be left out.
                    synced_at=now if present.export_cursor else present.synced_at,
                    restrictions=restrictions,
                    fields=kept.fields,
                    webhook=hook.webhook,
                    webhook_secret=hook.webhook_secret,
                )
            await tx.directory.put_account(kept)
            await tx.directory.sync_agents(agents, memberships)
            await tx.directory.put_views([v.id for v in views])
            if present is None:  # a new account; later nobody wants back what he deleted
                await tx.directory.put_queue(self._default_queue())
        await self._schedules(account)
        if kept.options.skills:
            await self._skills.whole(account)
        await self._policy.publish(account, agents)
        return Synced(len(agents), len(groups), len(memberships), len(views), created)

    def _default_queue(self) -> QueueRow:
        """Every ticket of every group, routed as it comes in: what a new account starts with."""
        now = self._clock.now()
        return QueueRow(
            id=self._ids.new("que"),
            title="All groups",
            kind="trigger",
            source=0,
            model="round_robin",
            position=1,
            created_at=now,
            updated_at=now,
        )

    async def _install(self, client: ZendeskClient, account: Account, url: str) -> tuple[Account, bool]:
        present = {f.key for f in await client.user_fields.all()}
        for key, (kind, title) in USER_FIELDS.items():
            if key not in present:
                await client.user_fields.create(type=kind, title=title, key=key)
        titles = {f.title: f.id for f in await client.ticket_fields.all()}
        fields = {}
        for key, title in AUDIT_FIELDS.items():
            fields[key] = (
                titles.get(title) or (await client.ticket_fields.create(type="text", title=title)).id
            )
        account = replace(account, fields=fields)
        return await self._install_webhook(client, account, url) if url else (account, False)

    async def _install_webhook(
        self, client: ZendeskClient, account: Account, url: str
    ) -> tuple[Account, bool]:
        hook = next((w for w in await client.webhooks.all() if w.name == WEBHOOK_NAME), None)
        created = hook is None
        if hook is None:
            hook = await client.webhooks.create(name=WEBHOOK_NAME, endpoint=url)
        elif hook.endpoint != url:
            await client.webhooks.update_endpoint(hook.id, url)
        if account.webhook != hook.id or account.webhook_secret is None:
            secret = (await client.webhooks.signing_secret(hook.id)).encode()
            sealed = await self._sealer.seal(
                account.account, "webhook", "accounts", "webhook_secret", account.account, secret
            )
            account = replace(account, webhook=hook.id, webhook_secret=sealed)
        conditions = {"all": [], "any": [_condition("Create"), _condition("Change")]}
        actions = [{"field": "notification_webhook", "value": [hook.id, BODY_TEMPLATE]}]
        trigger = next((t for t in await client.triggers.all() if t.title == TRIGGER_TITLE), None)
        if trigger is None:
            await client.triggers.create(title=TRIGGER_TITLE, conditions=conditions, actions=actions)
        elif created:
            await client.triggers.update(trigger.id, conditions=conditions, actions=actions)
        return account, created


def _condition(update: str) -> dict[str, str]:
    return {"field": "update_type", "operator": "is", "value": update}
