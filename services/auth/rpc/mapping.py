"""Domain objects as messages."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from libs.kernel.ids import AccountId, account_name
from services.auth.app.ports import AuditRow
from services.auth.app.watch_revocations import FeedMessage
from services.auth.domain.installation import Installation, InstallationState
from setlist.auth.v1 import auth_resources_pb2 as resources
from setlist.auth.v1 import auth_service_pb2 as messages

_STATES = {
    InstallationState.UNAUTHORIZED: resources.Installation.STATE_UNAUTHORIZED,
    InstallationState.AUTHORIZED: resources.Installation.STATE_AUTHORIZED,
    InstallationState.NEEDS_REAUTHORIZATION: resources.Installation.STATE_NEEDS_REAUTHORIZATION,
    InstallationState.REVOKED: resources.Installation.STATE_REVOKED,
}
_FROM_STATES = {value: key for key, value in _STATES.items()}


def timestamp(instant: datetime | None) -> Timestamp | None:
    """Return an instant as a message."""
    if instant is None:
        return None
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def state_message(state: InstallationState) -> resources.Installation.State.ValueType:
    """Return a state as an enum value."""
    return _STATES[state]


def state_of(message: resources.Installation.State.ValueType) -> InstallationState | None:
    """Return the state of an enum value, None for unspecified."""
    return _FROM_STATES.get(message)


def installation_message(installation: Installation) -> resources.Installation:
    """Return an installation as a message; the contact never leaves auth."""
    return resources.Installation(
        name=f"{account_name(installation.account)}/installations/{installation.installation_id}",
        subdomain=installation.subdomain,
        app_id=installation.app_id,
        state=_STATES[installation.state],
        enabled=installation.enabled,
        group_restrictions=installation.group_restrictions,
        role_restrictions=installation.role_restrictions,
        scopes=installation.scopes,
        generation=installation.generation,
        authorize_time=timestamp(installation.authorized_at),
        create_time=timestamp(installation.created_at),
    )


def audit_message(row: AuditRow) -> resources.AuditEvent:
    """Return an audit event as a message."""
    return resources.AuditEvent(
        sequence=row.sequence,
        time=timestamp(row.at),
        actor=row.actor,
        action=row.action,
        outcome=row.outcome,
        facts=dict(row.facts),
        hash=row.hash.hex(),
    )


def feed_message(message: FeedMessage) -> messages.WatchRevocationsResponse:
    """Return one message of the revocation feed."""
    entry = message.entry
    if entry is None:
        return messages.WatchRevocationsResponse(position=message.position, snapshot_end=message.snapshot_end)
    return messages.WatchRevocationsResponse(
        position=message.position,
        account=account_name(AccountId(entry.account)) if entry.account else "",
        generation=entry.generation,
        distrusted_key=entry.kid,
        key_set_changed=entry.key_set_changed,
    )
