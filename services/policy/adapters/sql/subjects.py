"""Where policy holds something about a person."""

from __future__ import annotations

from libs.participant.data_map import Strategy
from libs.participant.sql import Place

PLACES = (
    Place(
        "relationships",
        "",
        Strategy.DELETE_ROW,
        "source = 'zen:' || :subject OR target = 'zen:' || :subject",
        shown="type, source, target, created_at",
    ),
    Place("users", "", Strategy.DELETE_ROW, "user_id = :user", shown="role, custom_role_id"),
    Place(
        "decision_log",
        "user_id",
        Strategy.PSEUDONYMISE,
        "user_id = :user",
        change="user_id = NULL",
        shown="at, action, object_type, record, allowed, reason",
    ),
)
