"""The last step: the signed proof, and the end of the snapshot (facts: privacy §9)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.privacy.app.data_map import DATA_MAP, LEDGER_GROUND
from services.privacy.app.evidence import EventType
from services.privacy.app.ports import (
    CertificateRow,
    Counts,
    LedgerRow,
    RequestRow,
    StepRow,
    Store,
    Transaction,
    Vault,
)
from services.privacy.app.work import Done, Work, retained
from services.privacy.domain.deadlines import deadline
from services.privacy.domain.identity import RULE
from services.privacy.domain.plan import PARTICIPANTS
from services.privacy.domain.states import State, moved

FORMAT = "setlist.privacy.certificate/1"
ZENDESK_KEEPS = (
    "id, channel, status and times of destroyed tickets",
    "requester_id of destroyed tickets: an id without a profile",
    "chat visitor profiles, Sell, and mails already sent",
)
"""What Zendesk's own deletion does not reach (facts: privacy §18)."""


class IssueCertificate:
    """Destroys the snapshot's key, then says what was done."""

    def __init__(self, store: Store, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock

    async def __call__(self, work: Work) -> Done:
        """Issue the certificate of a request whose other steps are done."""
        await self._vault.drop(work.account, work.request.id)
        async with self._store.transaction(work.account) as tx:
            steps = await tx.steps(work.request.id)
            ledger = await tx.ledger(work.request.id)
            head = await tx.head()
        now = self._clock.now()
        document = certificate(work.account, work.request, steps, ledger, head, now)
        text, signature, key_pem = await self._vault.sign(document)
        kept = any(retained(step.counts) for step in steps)
        ended = State.COMPLETED_WITH_RETENTION if kept else State.COMPLETED

        async def write(tx: Transaction, row: RequestRow) -> None:
            await tx.put_request(replace(row, state=moved(row.state, ended), identities=None, updated_at=now))
            await tx.put_certificate(CertificateRow(row.id, text, signature, key_pem, now))
            await tx.forget_step_data(row.id)
            digest = hashlib.sha256(text.encode()).hexdigest()
            facts = {"state": ended.value, "certificate_sha256": digest}
            await tx.event(EventType.COMPLETED, row.id, facts, now)

        return Done(write=write)


def certificate(
    account: AccountId,
    row: RequestRow,
    steps: Sequence[StepRow],
    ledger: Sequence[LedgerRow],
    head: tuple[int, bytes],
    now: datetime,
) -> dict[str, Any]:
    """Return the document: counts, hashes and times; the person as a keyed hash only."""
    by_id = {step.id: step for step in steps}
    zendesk = {
        "name": "zendesk",
        "counts": _sum([row for s in steps if s.id.startswith("zendesk/") for row in s.counts]),
        "applications_complete": list(by_id["zendesk/user-permanent"].data.get("applications", ())),
        "verification": _verified(by_id["verify/zendesk"]),
        "kept_by_zendesk": list(ZENDESK_KEEPS),
    }
    services = [
        {
            "name": name,
            "data_map_hash": by_id[f"erase/{name}"].data.get("data_map_hash", ""),
            "counts": _sum([*by_id[f"erase/{name}"].counts, *by_id[f"verify/{name}"].counts]),
            "verification": _verified(by_id[f"verify/{name}"]),
        }
        for name in PARTICIPANTS
    ]
    own = {
        "name": "privacy",
        "data_map_hash": DATA_MAP.hash,
        "snapshot": "key destroyed",
        "kept": "keyed hashes of the person: request, ledger, suppressions",
        "kept_ground": LEDGER_GROUND,
    }
    sequence, digest = head
    return {
        "format": FORMAT,
        "account": account,
        "request": row.id,
        "kind": row.kind,
        "subject": {"commitment": row.commitment, "method": f"HMAC-SHA-256/{RULE}"},
        "received_at": row.received_at.isoformat(),
        "deadline": deadline(row.received_at, extended=row.extended).isoformat(),
        "extended": row.extended,
        "approved_by": row.approved_by,
        "plan_hash": row.plan_hash,
        "participants": [zendesk, *services, own],
        "ledger": {
            "intents": sum(line.what == "INTENT" for line in ledger),
            "outcomes": sum(line.what == "OUTCOME" for line in ledger),
        },
        "evidence": {"sequence": str(sequence), "head": digest.hex()},
        "issued_at": now.isoformat(),
    }


def _verified(step: StepRow) -> dict[str, Any]:
    return {
        "places_searched": step.data.get("searched", 0),
        "places_present": step.data.get("present", 0),
        "at": step.updated_at.isoformat(),
    }


def _sum(rows: Counts) -> Counts:
    """Return counts with one row per table and column."""
    total: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["table"], row["column"])
        if key not in total:
            total[key] = dict(row)
            continue
        for what in ("erased", "pseudonymised", "retained"):
            total[key][what] += row[what]
        total[key]["retained_ground"] = total[key]["retained_ground"] or row["retained_ground"]
    return list(total.values())
