"""Where auth holds something about a person."""

from __future__ import annotations

from libs.participant.data_map import Strategy
from libs.participant.sql import Place

PLACES = (
    Place(
        "installations",
        "admin_user_id",
        Strategy.NULL,
        "admin_user_id = :user",
        change="admin_user_id = NULL, contact_name = NULL, contact_email = NULL",
        shown="admin_user_id, authorized_at",
    ),
    Place("sessions", "", Strategy.DELETE_ROW, "user_id = :user", shown="opened_at, seen_at"),
    Place("authorizations", "", Strategy.DELETE_ROW, "user_id = :user", shown="expires_at, used"),
    Place(
        "audit_events",
        "actor",
        Strategy.KEEP,
        "actor = :subject",
        ground="proof of who did what (GDPR Art. 17(3)(e))",
        shown="at, action, outcome",
    ),
)
