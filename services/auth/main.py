"""Starts auth: `python -m services.auth.main`."""

from __future__ import annotations

import contextlib
from pathlib import Path

import grpc

from libs.crypto.default_key import key_provider
from libs.crypto.envelope import Envelope
from libs.crypto.keys import KeySet
from libs.db.data_keys import SqlDataKeys
from libs.db.notify import Listener
from libs.kernel.errors import SetlistError
from libs.kernel.ids import RandomIds
from libs.participant.servicer import SERVICE as PARTICIPANT
from libs.participant.servicer import ParticipantServicer
from libs.participant.sql import SqlSubjects
from libs.service.definition import Parts, ServiceDefinition, Wiring
from libs.service.run import StartError, run_service
from libs.telemetry.logs import get_logger
from libs.zendesk.client import new_pool
from services.auth.adapters.file_journal import FileJournal
from services.auth.adapters.memory.journal import MemoryJournal
from services.auth.adapters.sql.app_tokens import SqlTokensDue
from services.auth.adapters.sql.revocations import CHANNEL, SqlRevocationFeed
from services.auth.adapters.sql.store import SqlStore
from services.auth.adapters.sql.subjects import PLACES
from services.auth.adapters.sql.vault import EVICTIONS, SqlEvictions, SqlRotations, SqlSealedValues
from services.auth.adapters.zendesk import HttpZendesk
from services.auth.app.adopt_account import AdoptAccount
from services.auth.app.authorize import Authorize, OAuthClient
from services.auth.app.complete_authorization import CompleteAuthorization
from services.auth.app.data_map import DATA_MAP
from services.auth.app.exchange_context import ExchangeContext
from services.auth.app.journal import Journal
from services.auth.app.keep_keys import KeepKeys, schedules
from services.auth.app.open_session import OpenSession
from services.auth.app.pairs import Pairs
from services.auth.app.refresh_ahead import RefreshAhead
from services.auth.app.refresh_grant import RefreshGrant
from services.auth.app.renew_tokens import RenewTokens
from services.auth.app.revoke import Revoke
from services.auth.app.roles import Roles
from services.auth.app.rotate_data_keys import RotateDataKeys
from services.auth.app.shred_account import ShredAccount
from services.auth.app.sweep import Sweep
from services.auth.app.tally import Tally
from services.auth.app.token_keys import TokenKeys
from services.auth.app.verify_token import VerifyToken
from services.auth.app.watch_installations import WatchInstallations
from services.auth.app.watch_revocations import WatchRevocations
from services.auth.app.zendesk_access import GetZendeskAccess
from services.auth.rpc.guard import Guard, guarded
from services.auth.rpc.peers import AUTH, PEERS
from services.auth.rpc.servicer import AuthServicer, UseCases
from services.auth.settings import AuthSettings
from setlist.auth.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server
from setlist.privacy.v1.participant_service_pb2_grpc import add_ParticipantServiceServicer_to_server


def app_key_sets(files: dict[int, Path]) -> dict[int, KeySet]:
    """Read Zendesk's public key of each app."""
    return {app_id: KeySet.from_pem(path.read_bytes(), algorithm="RS256") for app_id, path in files.items()}


def journal_of(settings: AuthSettings) -> Journal:
    """Return the journal of new pairs; without a disk of our own a kill in the wrong moment needs a new authorisation."""
    folder = settings.journal_dir
    if folder is None and settings.database_url is None:
        folder = settings.state_folder("auth") / "journal"
    if folder is None:
        get_logger().warning("no journal: set AUTH_JOURNAL_DIR to a volume of this replica's own")
        return MemoryJournal()
    try:
        return FileJournal(folder)
    except OSError as error:
        raise StartError(f"the journal's folder `{folder}` cannot be used: {error.strerror}") from error


def evict(sealer: Envelope, account: str) -> None:
    """Drop an account's data keys from memory; all of them when a notice may have been missed."""
    if account:
        sealer.forget(account)
    else:
        sealer.forget_all()


async def build(parts: Parts[AuthSettings]) -> Wiring:
    """Wire auth."""
    settings, clock = parts.settings, parts.clock
    ids, template = RandomIds(clock), settings.zendesk_url_template
    key = settings.key_encryption_key
    provider = key_provider(
        "AUTH_KEY_ENCRYPTION_KEY",
        key is not None,
        settings.key_encryption_key_file,
        lambda: settings.state_folder("auth"),
    )
    data_keys = SqlDataKeys(parts.database)
    sealer = Envelope(provider, data_keys)
    client = OAuthClient(
        settings.oauth_client_id,
        settings.oauth_client_secret.get_secret_value(),
        settings.oauth_redirect_uri,
        settings.oauth_scopes,
    )
    pool = new_pool()
    store, zendesk = SqlStore(parts.database), HttpZendesk(pool, client)
    pairs = Pairs(sealer)
    keys = TokenKeys(settings.issuer, ids, {}, {})
    keep_keys = KeepKeys(store, sealer, keys, clock, ids, schedules(settings.signing_algorithm))
    await keep_keys.keep()
    watch = WatchRevocations(SqlRevocationFeed(parts.database), keep_keys.load)
    listener = Listener(parts.database.url, CHANNEL, watch.wake)
    journal = journal_of(settings)
    refresh = RefreshGrant(store, zendesk, pairs, journal, clock, ids, template)
    access = GetZendeskAccess(store, pairs, refresh, clock)
    roles = Roles(access, zendesk, clock, template)
    adopt = AdoptAccount(store, zendesk, access, clock)
    complete = CompleteAuthorization(
        store, zendesk, sealer, pairs, roles, adopt, keys, clock, client, template
    )
    revoke = Revoke(store, zendesk, access, roles, keys, clock, template)
    rotate = RotateDataKeys(
        store,
        sealer,
        data_keys,
        SqlSealedValues(parts.database),
        SqlRotations(parts.database),
        clock,
        ids,
        holder=ids.new("proc"),
    )
    evictions = Listener(parts.database.url, EVICTIONS, lambda account: evict(sealer, account))
    shred = ShredAccount(store, sealer, data_keys, SqlEvictions(parts.database), revoke, clock)
    watch_installations = WatchInstallations(store, zendesk, access, roles, shred, clock, template)
    use = UseCases(
        open_session=OpenSession(store, roles, clock, ids, app_key_sets(settings.app_keys())),
        authorize=Authorize(store, sealer, clock, ids, client, template),
        complete=complete,
        exchange=ExchangeContext(store, roles, keys, clock),
        access=access,
        revoke=revoke,
        verify=VerifyToken(store, keys, clock),
        keys=keys,
        keep_keys=keep_keys,
        watch=watch,
        store=store,
        pages=parts.pages,
        rotate_data_keys=rotate,
        shred=shred,
    )
    tally = Tally(store, clock)
    guard = Guard(
        tally,
        peer_per_second=settings.peer_calls_per_second,
        account_per_second=settings.account_calls_per_second,
    )
    participant = ParticipantServicer(DATA_MAP, SqlSubjects(parts.database, PLACES, DATA_MAP))

    def add(server: grpc.aio.Server) -> None:
        add_AuthServiceServicer_to_server(guarded(AuthServicer(use), guard), server)
        add_ParticipantServiceServicer_to_server(participant, server)

    async def close() -> None:
        await complete.drain()
        await access.drain()
        await pool.aclose()
        with contextlib.suppress(SetlistError):
            await tally.write()

    ahead = RefreshAhead(store, access, refresh, journal, clock)
    background = [
        ("sweep", Sweep(store, clock).run),
        ("refresh ahead", ahead.run),
        ("data keys", rotate.run),
        ("evictions", evictions.listen),
        ("tally", tally.run),
        ("installations", watch_installations.run),
    ]
    renew = RenewTokens(
        store,
        SqlTokensDue(parts.database),
        zendesk,
        access,
        keys,
        clock,
        template,
        lambda: keep_keys.distrusted,
    )
    background += [
        ("signing keys", keep_keys.run),
        ("revocations", watch.run),
        ("revocation notices", listener.listen),
        ("renewals", renew.run),
    ]
    return Wiring(add, [AUTH, PARTICIPANT], background=background, close=close, stopping=watch.close)


DEFINITION = ServiceDefinition(
    name="auth",
    settings_type=AuthSettings,
    migrations="services.auth.migrations",
    minimum_revision="0004",
    peers=PEERS,
    build=build,
    verifies_context=False,
)


def main() -> None:
    """Serve until told to stop."""
    run_service(DEFINITION)


if __name__ == "__main__":
    main()
