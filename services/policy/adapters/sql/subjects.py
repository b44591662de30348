"""Where policy holds something about a person."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.notify import notify
from libs.kernel.ids import AccountId
from libs.participant.data_map import Strategy
from libs.participant.sql import Place
from services.policy.adapters.sql.history import CHANNEL

# Records of this object type are people: the id of one is the agent's Zendesk user id, bare (assignment
# publishes them for delegated administration). In any other type a bare number is no person's.
PEOPLE = "agent_settings"

_IS_SOURCE = "source = 'zen:' || :subject"
_IS_TARGET = f"""target = 'zen:' || :subject OR (target = CAST(:user AS text) AND type IN (
    SELECT key FROM types t WHERE t.account = :account AND t.kind = 'relationship' AND t.to_type = '{PEOPLE}'
    UNION SELECT key FROM past_types t WHERE t.account = :account AND t.kind = 'relationship'
    AND t.to_type = '{PEOPLE}'))"""  # noqa: S608 - a constant of ours

_RELATIONSHIP = "type, source, target, created_at, expires_at"
_USER = "role, custom_role_id, groups, organization"
_IS_RECORD = f"type = '{PEOPLE}' AND id = CAST(:user AS text)"


def _rows(past: str) -> tuple[Place, ...]:
    """Return the places of rows about a person: the same in the tables of the present and of the past."""
    return (
        Place(f"{past}relationships", "", Strategy.DELETE_ROW, _IS_SOURCE, shown=_RELATIONSHIP),
        Place(
            f"{past}relationships",
            "",
            Strategy.DELETE_ROW,
            f"({_IS_TARGET}) AND NOT {_IS_SOURCE}",
            shown=_RELATIONSHIP,
            third_party=True,  # the source is another person
        ),
        Place(f"{past}users", "", Strategy.DELETE_ROW, "user_id = :user", shown=_USER),
        Place(f"{past}objects", "", Strategy.DELETE_ROW, _IS_RECORD, shown="type, id, attributes"),
    )


PLACES = (
    *_rows(""),
    *_rows("past_"),
    Place(
        "change_log",
        "actor",
        Strategy.PSEUDONYMISE,
        "actor = :subject",
        change="actor = ''",
        shown="revision, at",
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

_REWRITTEN = """
INSERT INTO revisions AS r (account, revision, redacted) VALUES (:account, 1, 1)
ON CONFLICT (account) DO UPDATE SET revision = r.revision + 1, redacted = r.revision + 1 RETURNING revision
"""


async def rewrite_history(connection: AsyncConnection, account: AccountId) -> None:
    """Raise the account's revision for an erasure: every copy that follows the changes is read anew.

    Takes the account's lock first, as every writer does.
    """
    revision = (await connection.execute(text(_REWRITTEN), {"account": account})).scalar_one()
    await connection.execute(
        text(
            "INSERT INTO change_log (account, revision, at, actor) "
            "VALUES (:account, :revision, statement_timestamp(), 'service:privacy')"
        ),
        {"account": account, "revision": revision},
    )
    await notify(connection, CHANNEL, account)
