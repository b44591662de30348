"""What policy stores about people: one verdict for every column (facts: privacy §3)."""

from __future__ import annotations

from collections.abc import Sequence

from libs.participant.data_map import Column, DataMap, Strategy, not_personal


def _types(table: str, revisions: str) -> Sequence[Column]:
    columns = "account kind key from_type to_type many permissions version created_at extensions"
    return not_personal(table, f"{columns} {revisions}", "types and policies")


def _relationships(table: str, revisions: str) -> Sequence[Column]:
    return (
        Column(table, "source", Strategy.DELETE_ROW, "from whom a relationship goes", "source"),
        Column(table, "target", Strategy.DELETE_ROW, "to what a relationship goes", "target"),
        *not_personal(table, f"account id type created_at expires_at {revisions}", "a relationship"),
    )


def _users(table: str, revisions: str) -> Sequence[Column]:
    return (
        Column(table, "user_id", Strategy.DELETE_ROW, "who", "user_id"),
        Column(table, "role", Strategy.DELETE_ROW, "his role", "user_id"),
        Column(table, "custom_role_id", Strategy.DELETE_ROW, "his custom role", "user_id"),
        Column(table, "groups", Strategy.DELETE_ROW, "his groups", "user_id"),
        Column(table, "organization", Strategy.DELETE_ROW, "his organisation", "user_id"),
        *not_personal(table, f"account {revisions}", "the tenant"),
    )


def _objects(table: str, revisions: str) -> Sequence[Column]:
    return (
        Column(
            table, "id", Strategy.DELETE_ROW, "which record; that of an agent's settings is his user id", "id"
        ),
        Column(table, "attributes", Strategy.DELETE_ROW, "what conditions ask for about it", "id"),
        *not_personal(table, f"account type {revisions}", "a record"),
    )


DATA_MAP = DataMap(
    "policy",
    (
        *not_personal("revisions", "account revision oldest redacted", "the account's revision"),
        Column("change_log", "actor", Strategy.PSEUDONYMISE, "who changed something", "actor"),
        *not_personal("change_log", "account revision at", "when a revision was written"),
        *not_personal("settings", "account body version", "how policy behaves for the account"),
        *_types("types", "from_rev"),
        *_types("past_types", "from_rev to_rev"),
        *_relationships("relationships", "from_rev"),
        *_relationships("past_relationships", "from_rev to_rev"),
        *_users("users", "from_rev"),
        *_users("past_users", "from_rev to_rev"),
        *_objects("objects", "from_rev"),
        *_objects("past_objects", "from_rev to_rev"),
        Column("decision_log", "user_id", Strategy.PSEUDONYMISE, "about whom it was decided", "user_id"),
        Column(
            "decision_log",
            "record",
            Strategy.PSEUDONYMISE,
            "about which record; that of an agent's settings is his user id",
            "record",
        ),
        *not_personal(
            "decision_log",
            "account id at action object_type allowed reason revision caller rule relationship trace duration_us lag_ms",
            "a decision",
        ),
        *not_personal(
            "requests", "account request_id method body_hash response created_at", "answers to repeats"
        ),
        *not_personal("erasures", "account request node attempt counts", "what was answered to an erasure"),
    ),
)
