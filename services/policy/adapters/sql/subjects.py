"""Where policy holds something about a person."""

from __future__ import annotations

from libs.participant.data_map import Strategy
from libs.participant.sql import Place

# Records of this object type are people: the id of one is the agent's Zendesk user id, bare (assignment
# publishes them for delegated administration). In any other type a bare number is no person's.
PEOPLE = "agent_settings"

_IS_SOURCE = "source = 'zen:' || :subject"
_IS_TARGET = f"""target = 'zen:' || :subject OR (target = CAST(:user AS text) AND type IN (
    SELECT key FROM types t WHERE t.account = relationships.account AND t.kind = 'relationship'
    AND t.to_type = '{PEOPLE}'))"""  # noqa: S608 - a constant of ours

PLACES = (
    Place(
        "relationships",
        "",
        Strategy.DELETE_ROW,
        _IS_SOURCE,
        shown="type, source, target, created_at, expires_at",
    ),
    Place(
        "relationships",
        "",
        Strategy.DELETE_ROW,
        f"({_IS_TARGET}) AND NOT {_IS_SOURCE}",
        shown="type, source, target, created_at, expires_at",
        third_party=True,  # the source is another person
    ),
    Place(
        "users",
        "",
        Strategy.DELETE_ROW,
        "user_id = :user",
        shown="role, custom_role_id, groups, organization",
    ),
    Place(
        "decision_log",
        "user_id",
        Strategy.PSEUDONYMISE,
        "user_id = :user",
        change="user_id = NULL",
        shown="at, action, object_type, record, allowed, reason",
    ),
    Place(
        "decision_log",
        "record",
        Strategy.PSEUDONYMISE,
        f"object_type = '{PEOPLE}' AND record = CAST(:user AS text)",
        change="record = ''",
        shown="at, action, object_type, allowed, reason",
        third_party=True,  # somebody else asked about this person's record
    ),
)
