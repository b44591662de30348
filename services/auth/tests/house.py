"""Auth wired up over any store and the OAuth provider in memory."""

from __future__ import annotations

from dataclasses import dataclass

from libs.crypto.data_keys import DataKeys, MemoryDataKeys
from libs.crypto.envelope import Envelope
from libs.crypto.tokens import KeySet, Signer
from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId, RandomIds, UserId
from services.auth.adapters.memory.journal import MemoryJournal
from services.auth.adapters.memory.sealer import memory_sealer
from services.auth.adapters.memory.store import MemoryStore
from services.auth.adapters.memory.vault import MemoryEvictions, MemoryRotations, MemorySealedValues
from services.auth.adapters.memory.zendesk import MemoryZendesk
from services.auth.app.adopt_account import AdoptAccount
from services.auth.app.authorize import Authorize, OAuthClient
from services.auth.app.complete_authorization import CompleteAuthorization
from services.auth.app.exchange_context import ExchangeContext
from services.auth.app.journal import Journal
from services.auth.app.keep_keys import KeepKeys, schedules
from services.auth.app.open_session import OpenedSession, OpenSession
from services.auth.app.pairs import Pairs
from services.auth.app.ports import AuditRow, Store, ZendeskPerson
from services.auth.app.refresh_ahead import RefreshAhead
from services.auth.app.refresh_grant import RefreshGrant
from services.auth.app.revoke import Revoke
from services.auth.app.roles import Roles
from services.auth.app.rotate_data_keys import RotateDataKeys
from services.auth.app.shred_account import ShredAccount
from services.auth.app.token_keys import KINDS, TokenKeys
from services.auth.app.vault_ports import Rotations, SealedValues
from services.auth.app.verify_token import VerifyToken
from services.auth.app.watch_installations import WatchInstallations
from services.auth.app.watch_revocations import WatchRevocations
from services.auth.app.zendesk_access import GetZendeskAccess
from services.auth.domain.grant import Grant
from services.auth.domain.installation import Installation
from services.auth.tests.signed_urls import INSTALLATION, SUBDOMAIN, app_keys, claims, signed

ISSUER, TEMPLATE = "https://auth.setlist.local", "https://{subdomain}.zendesk.com"
BASE = "https://acme.zendesk.com"
ADMIN, SECOND_ADMIN, AGENT, STRANGER = UserId(7), UserId(8), UserId(9), UserId(404)
CLIENT = OAuthClient("setlist", "client-secret", "https://edge.test/oauth/callback", "read users:write")
PEOPLE = (
    ZendeskPerson(ADMIN, "admin", "Ada Admin", "ada@acme.test"),
    ZendeskPerson(SECOND_ADMIN, "admin", "Bob Boss", "bob@acme.test"),
    ZendeskPerson(AGENT, "agent", "Cy Agent", "cy@acme.test", custom_role_id=31),
)


@dataclass(frozen=True, slots=True)
class Popup:
    """Where an authorisation stands after the popup was opened."""

    session: str
    url: str
    cookie: str


class House:
    """One replica of auth. `replica()` makes another one on the same store, keys and Zendesk."""

    def __init__(
        self,
        store: Store | None = None,
        sealer: Envelope | None = None,
        clock: ManualClock | None = None,
        zendesk: MemoryZendesk | None = None,
        keys: TokenKeys | None = None,
        patience_seconds: float = 5.0,
        journal: Journal | None = None,
        data_keys: DataKeys | None = None,
        client: OAuthClient = CLIENT,
    ) -> None:
        self.clock = clock or ManualClock()
        self.memory = MemoryStore(self.clock)
        self.store: Store = store or self.memory
        self.data_keys: DataKeys = data_keys or MemoryDataKeys(self.clock.now)
        self.sealer = sealer or memory_sealer(self.data_keys)
        self.zendesk = zendesk or MemoryZendesk(self.clock, client, PEOPLE)
        self.ids = RandomIds(self.clock)
        if keys is None:
            signers = {kind: Signer.generate(f"{kind}-1") for kind in KINDS}
            sets = {kind: KeySet([signer.public_key()]) for kind, signer in signers.items()}
            keys = TokenKeys(ISSUER, self.ids, signers, sets)
        self.keys = keys
        self.keep_keys = KeepKeys(
            self.store, self.sealer, self.keys, self.clock, self.ids, schedules("ES256")
        )
        self.watch = WatchRevocations(self.memory.feed, self.keep_keys.load)
        self.pairs = Pairs(self.sealer)
        self.journal: Journal = journal or MemoryJournal()
        self.refresh = RefreshGrant(
            self.store,
            self.zendesk,
            self.pairs,
            self.journal,
            self.clock,
            self.ids,
            TEMPLATE,
            commit_patience_seconds=5.0,
        )
        self.access = GetZendeskAccess(
            self.store, self.pairs, self.refresh, self.clock, patience_seconds=patience_seconds
        )
        self.ahead = RefreshAhead(self.store, self.access, self.refresh, self.journal, self.clock)
        self.roles = Roles(self.access, self.zendesk, self.clock, TEMPLATE)
        self.open_session = OpenSession(self.store, self.roles, self.clock, self.ids, app_keys())
        self.authorize = Authorize(self.store, self.sealer, self.clock, self.ids, client, TEMPLATE)
        self.complete = CompleteAuthorization(
            self.store,
            self.zendesk,
            self.sealer,
            self.pairs,
            self.roles,
            AdoptAccount(self.store, self.zendesk, self.access, self.clock),
            self.keys,
            self.clock,
            client,
            TEMPLATE,
        )
        self.exchange = ExchangeContext(self.store, self.roles, self.keys, self.clock)
        self.verify = VerifyToken(self.store, self.keys, self.clock)
        self.revoke = Revoke(
            self.store, self.zendesk, self.access, self.roles, self.keys, self.clock, TEMPLATE
        )
        self.rotations = MemoryRotations(self.clock)
        self.evictions = MemoryEvictions()
        self.evictions.listeners.append(self.sealer.forget)
        self.shred = ShredAccount(
            self.store, self.sealer, self.data_keys, self.evictions, self.revoke, self.clock
        )
        self.installations_watch = WatchInstallations(
            self.store, self.zendesk, self.access, self.roles, self.shred, self.clock, TEMPLATE
        )

    def keeper(
        self,
        values: SealedValues | None = None,
        rotations: Rotations | None = None,
        vault: Envelope | None = None,
        holder: str = "proc-1",
    ) -> RotateDataKeys:
        """What rotates the data keys, over memory when nothing else is given."""
        return RotateDataKeys(
            self.store,
            vault or self.sealer,
            self.data_keys,
            values or MemorySealedValues(lambda: self.memory.rows),
            rotations or self.rotations,
            self.clock,
            self.ids,
            holder=holder,
        )

    def replica(self, *, store: Store | None = None, patience_seconds: float = 5.0) -> House:
        return House(
            store or self.store,
            self.sealer,
            self.clock,
            self.zendesk,
            self.keys,
            patience_seconds,
            data_keys=self.data_keys,
        )

    async def enter(
        self, user: int = ADMIN, *, subdomain: str = SUBDOMAIN, installation: int = INSTALLATION
    ) -> OpenedSession:
        """Open the app as `user`."""
        payload = claims(self.clock.now(), user, subdomain=subdomain, installation=installation)
        payload["qsh"] = self.ids.new("qsh")  # two loads of one second are two URLs
        return await self.open_session(signed(payload), f"https://{subdomain}.zendesk.com")

    async def popup(self, user: int = ADMIN, **place: object) -> Popup:
        """Go as far as Zendesk's page."""
        opened = await self.enter(user, **place)  # type: ignore[arg-type]  # subdomain and installation
        ticket, _ = await self.authorize.begin(opened.token)
        url, cookie = await self.authorize.start(ticket)
        return Popup(opened.token, url, cookie)

    async def authorized(self, user: UserId = ADMIN, **place: object) -> Installation:
        """Go the whole way; return the installation."""
        popup = await self.popup(user, **place)
        code, state = self.zendesk.confirm(popup.url, user)
        return await self.complete(state, code, "", popup.cookie)

    def token_of(self, installation: Installation) -> str:
        """Return the installation token that the app was given."""
        base = TEMPLATE.format(subdomain=installation.subdomain)
        return self.zendesk.settings[base, installation.installation_id]

    async def grant(self, account: AccountId) -> Grant:
        async with self.store.transaction(account) as tx:
            found = await tx.grants.get()
        assert found is not None
        return found

    async def installation(self, account: AccountId) -> Installation:
        async with self.store.transaction(account) as tx:
            found = await tx.installations.get()
        assert found is not None
        return found

    async def audit(self, account: AccountId) -> list[AuditRow]:
        async with self.store.transaction(account) as tx:
            return list(await tx.audit.page(0, 1000))

    async def said(self, account: AccountId) -> list[tuple[str, str]]:
        """Return (action, outcome) of the account's audit."""
        return [(row.action, row.outcome) for row in await self.audit(account)]
