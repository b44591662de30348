"""What privacy itself stores about people: one verdict for every column (facts: privacy §3).

The person stands here as a keyed hash, which we could link again: personal, and kept on a ground. In clear
there is nobody; the snapshot of identities is sealed under a key of its own that the certificate's step destroys.
"""

from __future__ import annotations

from libs.participant.data_map import Column, DataMap, Strategy, not_personal

LEDGER_GROUND = "proof of the erasure and its repetition after a restore (GDPR Art. 5(2), 17(3)(e))"
_ACTOR = "who approved, as a keyed hash or a service: accountability (GDPR Art. 5(2))"
_RETENTION = "P3Y"

DATA_MAP = DataMap(
    "privacy",
    (
        Column(
            "subject_requests", "commitment", Strategy.KEEP, LEDGER_GROUND, "commitment", retention=_RETENTION
        ),
        Column(
            "subject_requests",
            "identities",
            Strategy.DROP_KEY,
            "sealed snapshot: what later steps and retries are asked with",
            "commitment",
        ),
        Column("subject_requests", "approved_by", Strategy.KEEP, _ACTOR, retention=_RETENTION),
        Column(
            "subject_requests",
            "refusal",
            Strategy.KEEP,
            "what the person was told (GDPR Art. 12(4)); an admin wrote it",
            "commitment",
            retention=_RETENTION,
        ),
        *not_personal(
            "subject_requests",
            "account id kind state auto plan_hash preview received_at extended version updated_at",
            "state, counts and times of a request",
        ),
        *not_personal(
            "steps",
            "account request id position state run attempts last_error counts data not_before lease_until "
            "updated_at",
            "codes, counts, times, and ids of tickets until the end",
        ),
        Column("ledger", "token", Strategy.KEEP, LEDGER_GROUND, "token"),
        *not_personal("ledger", "account request step run what at", "what was done when"),
        *not_personal(
            "events",
            "account sequence at type request facts hash",
            "the evidence chain: codes and keyed hashes",
        ),
        Column(
            "certificates",
            "document",
            Strategy.KEEP,
            LEDGER_GROUND + ": holds the keyed hash",
            retention="P3Y",
        ),
        *not_personal("certificates", "account request signature key_pem issued_at", "proof of the document"),
        Column("holds", "commitments", Strategy.KEEP, "legal claims (GDPR Art. 17(3)(e))", "commitments"),
        *not_personal("holds", "account id matter ground created_at released_at", "why a hold is in force"),
        Column(
            "restrictions", "commitment", Strategy.KEEP, "the restriction itself (GDPR Art. 18)", "commitment"
        ),
        *not_personal("restrictions", "account purpose revision restricted", "which use is forbidden"),
        Column("suppressions", "commitment", Strategy.KEEP, LEDGER_GROUND, "commitment"),
        *not_personal("suppressions", "account request revision at", "since when"),
        *not_personal("secrets", "account purpose sealed", "our own keys"),
        *not_personal("data_keys", "account id purpose wrapped current writes created_at", "our own keys"),
        *not_personal(
            "requests",
            "account request_id method body_hash response created_at",
            "answers to repeats; the body under a keyed hash",
        ),
    ),
)
