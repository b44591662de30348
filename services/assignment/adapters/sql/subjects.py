"""Where assignment holds something about a person."""

from __future__ import annotations

from libs.participant.data_map import Strategy
from libs.participant.sql import Place

_PROOF = "proof of how a ticket was assigned (GDPR Art. 17(3)(e))"

PLACES = (
    Place(
        "tickets",
        "requester_id",
        Strategy.PSEUDONYMISE,
        "requester_id = :user",
        change="requester_id = NULL",
        shown="ticket, status, created_at, updated_at",
    ),
    Place(
        "tickets",
        "assignee_id",
        Strategy.PSEUDONYMISE,
        "assignee_id = :user",
        change="assignee_id = NULL",
    ),
    Place("tickets", "last_agent", Strategy.PSEUDONYMISE, "last_agent = :user", change="last_agent = NULL"),
    Place("tickets", "dedicated", Strategy.PSEUDONYMISE, "dedicated = :user", change="dedicated = NULL"),
    Place(
        "dedicated_rules",
        "value",
        Strategy.DELETE_ROW,
        "kind = 'requester' AND value = CAST(:user AS text)",
        shown="kind, agents",
    ),
    Place(
        "dedicated_rules",
        "agents",
        Strategy.PSEUDONYMISE,
        ":user = ANY(agents)",
        # A rule without agents names nobody: its tickets go their ordinary way.
        change="agents = array_remove(agents, :user)",
    ),
    Place("agent_capacities", "", Strategy.DELETE_ROW, "user_id = :user", shown="units"),
    Place("agent_schedules", "", Strategy.DELETE_ROW, "user_id = :user", shown="schedule"),
    Place("agent_rate_limits", "", Strategy.DELETE_ROW, "user_id = :user", shown="tickets, minutes"),
    Place("shift_exceptions", "", Strategy.DELETE_ROW, "user_id = :user", shown="kind, starts_at, ends_at"),
    Place("agent_skills", "", Strategy.DELETE_ROW, "user_id = :user", shown="skill, level"),
    Place("agent_idle_rules", "", Strategy.DELETE_ROW, "user_id = :user", shown="enabled, minutes"),
    Place(
        "status_records",
        "",
        Strategy.DELETE_ROW,
        "user_id = :user",
        shown="status, started_at, ended_at",
    ),
    Place(
        "status_records",
        "updater_id",
        Strategy.PSEUDONYMISE,
        # His own records go as a whole.
        "updater_id = :user AND updater_id <> user_id",
        change="updater_id = NULL",
    ),
    Place(
        "agents",
        "status_updater_id",
        Strategy.PSEUDONYMISE,
        "status_updater_id = :user AND user_id <> :user",
        change="status_updater_id = NULL",
    ),
    Place("memberships", "", Strategy.DELETE_ROW, "user_id = :user", shown="group_id"),
    Place(
        "agents",
        "",
        Strategy.DELETE_ROW,
        "user_id = :user",
        shown="name, role, custom_role_id, status, status_at",
    ),
    Place(
        "queues",
        "agents",
        Strategy.PSEUDONYMISE,
        ":user = ANY(agents)",
        # A queue for chosen agents must not become one for everybody because the last of them is gone.
        change="agents = array_remove(agents, :user), version = version + 1, "
        "state = CASE WHEN cardinality(array_remove(agents, :user)) = 0 THEN 'paused' ELSE state END",
    ),
    Place("rotation", "", Strategy.DELETE_ROW, "agent_id = :user"),
    Place("declines", "", Strategy.DELETE_ROW, "agent_id = :user", shown="ticket, kind, at"),
    Place(
        "offers",
        "agent_id",
        Strategy.KEEP,
        "agent_id = :user",
        ground=_PROOF,
        shown="ticket, state, offered_at",
    ),
    Place(
        "assignments",
        "agent_id",
        Strategy.KEEP,
        "agent_id = :user",
        ground=_PROOF,
        shown="ticket, assigned_at",
    ),
    Place("decisions", "agent_id", Strategy.KEEP, "agent_id = :user", ground=_PROOF),
    Place("outbox", "agent_id", Strategy.KEEP, "agent_id = :user", ground=_PROOF),
)
