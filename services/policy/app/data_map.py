"""What policy stores about people: one verdict for every column (facts: privacy §3)."""

from __future__ import annotations

from libs.participant.data_map import Column, DataMap, Strategy, not_personal

DATA_MAP = DataMap(
    "policy",
    (
        *not_personal("revisions", "account revision", "the account's revision"),
        *not_personal(
            "types",
            "account kind key from_type to_type many permissions version created_at",
            "types and policies",
        ),
        Column("relationships", "source", Strategy.DELETE_ROW, "from whom a relationship goes", "source"),
        Column("relationships", "target", Strategy.DELETE_ROW, "to what a relationship goes", "target"),
        *not_personal("relationships", "account id type created_at expires_at", "a relationship"),
        Column("users", "user_id", Strategy.DELETE_ROW, "who", "user_id"),
        Column("users", "role", Strategy.DELETE_ROW, "his role", "user_id"),
        Column("users", "custom_role_id", Strategy.DELETE_ROW, "his custom role", "user_id"),
        Column("users", "groups", Strategy.DELETE_ROW, "his groups", "user_id"),
        Column("users", "organization", Strategy.DELETE_ROW, "his organisation", "user_id"),
        *not_personal("users", "account", "the tenant"),
        Column("decision_log", "user_id", Strategy.PSEUDONYMISE, "about whom it was decided", "user_id"),
        Column(
            "decision_log",
            "record",
            Strategy.PSEUDONYMISE,
            "about which record; that of an agent's settings is his user id",
            "record",
        ),
        *not_personal(
            "decision_log", "account id at action object_type allowed reason revision", "a decision"
        ),
        *not_personal(
            "requests", "account request_id method body_hash response created_at", "answers to repeats"
        ),
        *not_personal("erasures", "account request node attempt counts", "what was answered to an erasure"),
    ),
)
