"""Rows as messages, and identities out of messages."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from google.protobuf.timestamp_pb2 import Timestamp

from libs.kernel.ids import account_name
from services.privacy.app.make_plan import Plan
from services.privacy.app.ports import CertificateRow, HoldRow, StepRow
from services.privacy.app.read_requests import RequestView
from services.privacy.domain.deadlines import deadline
from services.privacy.domain.identity import Identity
from services.privacy.domain.states import State
from setlist.privacy.v1 import participant_service_pb2 as participant
from setlist.privacy.v1 import privacy_resources_pb2 as resources

_TYPES = {
    participant.SubjectIdentity.TYPE_ZENDESK_USER_ID: "zendesk_user_id",
    participant.SubjectIdentity.TYPE_EMAIL: "email",
    participant.SubjectIdentity.TYPE_PHONE: "phone",
    participant.SubjectIdentity.TYPE_EXTERNAL_ID: "external_id",
}
_NUMBERS = {name: number for number, name in _TYPES.items()}
_CERTIFIED = (State.COMPLETED, State.COMPLETED_WITH_RETENTION)


def kind_name(kind: resources.RequestKind.ValueType) -> str:
    """Return a kind as it is kept, e.g. `ERASURE`."""
    return resources.RequestKind.Name(kind).removeprefix("REQUEST_KIND_")


def state_name(state: resources.Request.State.ValueType) -> str | None:
    """Return a state as it is kept; None for "all"."""
    name = resources.Request.State.Name(state).removeprefix("STATE_")
    return None if name == "UNSPECIFIED" else name


def identities_of(given: Sequence[participant.SubjectIdentity]) -> list[Identity]:
    """Return identities out of messages."""
    return [(_TYPES[i.type], i.value) for i in given]


def identity_message(identity: Identity) -> participant.SubjectIdentity:
    """Return an identity as a message."""
    return participant.SubjectIdentity(type=_NUMBERS[identity[0]], value=identity[1])


def timestamp(instant: datetime | None) -> Timestamp | None:
    """Return an instant as a message."""
    if instant is None:
        return None
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def _counts(rows: Sequence[dict[str, Any]]) -> list[participant.ColumnCount]:
    return [participant.ColumnCount(**row) for row in rows]


def _node(step: StepRow) -> resources.Node:
    state = "LEASED" if step.leased else step.state.value
    return resources.Node(
        id=step.id,
        state=resources.Node.State.Value(f"STATE_{state}"),
        run=step.run,
        attempts=step.attempts,
        last_error=step.last_error,
        counts=_counts(step.counts),
        update_time=timestamp(step.updated_at),
    )


def request_message(parent: str, view: RequestView, plan: Plan | None = None) -> resources.Request:
    """Return a request as a message.

    Args:
        plan: of a request that is not kept (`validate_only`); such a one has no name.
    """
    row = view.row
    name = f"{parent}/requests/{row.id}" if row.id else ""
    missing = {str(s.data["missing"]) for s in view.steps if s.last_error and "missing" in s.data}
    return resources.Request(
        name=name,
        kind=resources.RequestKind.Value(f"REQUEST_KIND_{row.kind}"),
        state=resources.Request.State.Value(f"STATE_{row.state.value}"),
        subject_commitment=row.commitment,
        receive_time=timestamp(row.received_at),
        deadline_time=timestamp(deadline(row.received_at, extended=row.extended)),
        extended=row.extended,
        plan_hash=plan.hash if plan else row.plan_hash,
        preview=_counts(list(plan.counts) if plan else row.preview),
        nodes=[_node(step) for step in view.steps],
        certificate=f"{name}/certificate" if row.state in _CERTIFIED else "",
        refusal_reason=plan.refusal if plan else row.refusal,
        etag=str(row.version) if row.id else "",
        update_time=timestamp(row.updated_at),
        participants_missing=",".join(plan.missing if plan else sorted(missing)),
    )


def certificate_message(account: str, row: CertificateRow) -> resources.Certificate:
    """Return a certificate as a message."""
    return resources.Certificate(
        name=f"{account_name(account)}/requests/{row.request}/certificate",
        certificate_json=row.document,
        signature=_base64url(row.signature),
        public_key_jwk=json.dumps(jwk(row.key_pem), sort_keys=True),
        issue_time=timestamp(row.issued_at),
    )


def jwk(pem: str) -> dict[str, str]:
    """Return an Ed25519 public key as a JWK (RFC 8037)."""
    raw = load_pem_public_key(pem.encode()).public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(raw)}


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def hold_message(parent: str, row: HoldRow) -> resources.LegalHold:
    """Return a hold as a message; the person is not in it."""
    return resources.LegalHold(
        name=f"{parent}/holds/{row.id}",
        matter=row.matter,
        ground=row.ground,
        released=row.released_at is not None,
        create_time=timestamp(row.created_at),
        release_time=timestamp(row.released_at),
    )
