"""What the sample service stores, and how it erases."""

from libs.kernel.ids import AccountId, UserId
from libs.participant.data_map import Column, DataMap, Strategy, not_personal
from libs.participant.sql import ERASURES_COLUMNS, Place

ACCOUNT, OTHER = AccountId("acc-1"), AccountId("acc-2")
ADA, BOB = UserId(7), UserId(8)
GROUND = "proof of how a ticket was assigned (GDPR Art. 17(3)(e))"

PLACES = (
    Place("agents", "", Strategy.DELETE_ROW, "user_id = :user", shown="status"),
    Place(
        "notes",
        "requester_id",
        Strategy.PSEUDONYMISE,
        "requester_id = :user",
        change="requester_id = NULL, facts = '{}'",
        shown="at, facts",
        third_party=True,
    ),
    Place(
        "routes",
        "agents",
        Strategy.NULL,
        ":user = ANY(agents)",
        change="agents = array_remove(agents, :user)",
    ),
    Place("audit", "actor", Strategy.NULL, "actor = :subject", change="actor = NULL", shown="id"),
    Place("audit", "agent_id", Strategy.KEEP, "agent_id = :user", ground=GROUND),
)
DATA_MAP = DataMap(
    "probe",
    [
        Column("agents", "user_id", Strategy.DELETE_ROW, "who works", "user_id", provided=True),
        Column("agents", "status", Strategy.DELETE_ROW, "whether they are there", "user_id"),
        *not_personal("agents", "account", "the tenant"),
        Column("notes", "requester_id", Strategy.PSEUDONYMISE, "who asked", "requester_id", "P1Y"),
        Column("notes", "facts", Strategy.PSEUDONYMISE, "what was said of them", "requester_id"),
        *not_personal("notes", "account id at", "the ticket's"),
        Column("routes", "agents", Strategy.NULL, "who may be chosen", "agents"),
        *not_personal("routes", "account id", "the rule's"),
        Column("audit", "actor", Strategy.NULL, "who did it", "actor"),
        Column("audit", "agent_id", Strategy.KEEP, "proof", "agent_id"),
        *not_personal("audit", "account id", "the entry's"),
        *not_personal("erasures", ERASURES_COLUMNS, "what was answered"),
    ],
)
PEOPLE = (
    "INSERT INTO agents VALUES ('acc-1', 7, 'online'), ('acc-1', 8, 'away'), ('acc-2', 7, 'online')",
    """INSERT INTO notes VALUES ('acc-1', 1, 5, 7, '{"by": 7}'), ('acc-1', 2, 5, 7, '{"by": "user:7"}'),
    ('acc-1', 3, 5, 8, '{"by": 77}'), ('acc-2', 1, 5, 7, '{"by": 7}')""",
    "INSERT INTO routes VALUES ('acc-1', 1, '{7,8}'), ('acc-1', 2, '{8}'), ('acc-2', 1, '{7}')",
    """INSERT INTO audit VALUES ('acc-1', 1, 'user:7', 7), ('acc-1', 2, 'user:8', 7), ('acc-1', 3, 'user:77', 8),
    ('acc-2', 1, 'user:7', 7)""",
)
EXPECTED = {
    ("agents", ""): (1, 0, 0),
    ("notes", "requester_id"): (0, 2, 0),
    ("routes", "agents"): (1, 0, 0),
    ("audit", "actor"): (1, 0, 0),
    ("audit", "agent_id"): (0, 0, 2),
}
"""Of Ada in acc-1: rows erased, pseudonymised, retained."""
