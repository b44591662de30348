"""What assignment stores about people: one verdict for every column (facts: privacy §3, the seed's table)."""

from __future__ import annotations

from libs.participant.data_map import Column, DataMap, Strategy, not_personal

_AGENT = "an agent as the seed's table names him"
_PROOF = "proof of how a ticket was assigned (Art. 17(3)(e))"

DATA_MAP = DataMap(
    "assignment",
    (
        *not_personal(
            "accounts",
            "account inbox_limit daily_limit default_status rule_version group_restrictions role_restrictions "
            "fields webhook webhook_secret export_cursor synced_at options",
            "settings of an account",
        ),
        *(
            Column("agents", column, Strategy.DELETE_ROW, _AGENT, "user_id")
            for column in [
                "user_id",
                "name",
                "role",
                "role_type",
                "custom_role_id",
                "active",
                "suspended",
                "status",
                "status_at",
                "inbox_limit",
                "daily_limit",
                "rule",
                "manager",
                "autoplay",
                "version",
                "absence",
                "active_at",
            ]
        ),
        *not_personal("agents", "account", "the tenant"),
        Column(
            "agents", "status_updater_id", Strategy.PSEUDONYMISE, "who gave a status", "status_updater_id"
        ),
        *(
            Column("status_records", column, Strategy.DELETE_ROW, "when an agent had which status", "user_id")
            for column in ("user_id", "status", "started_at", "ended_at")
        ),
        Column("status_records", "updater_id", Strategy.PSEUDONYMISE, "who gave a status", "updater_id"),
        *not_personal("status_records", "account id reached_at", "place in the history"),
        *not_personal("status_counters", "account last reached_at", "how many statuses ended"),
        Column("agent_idle_rules", "user_id", Strategy.DELETE_ROW, "whose idle rule", "user_id"),
        *not_personal("agent_idle_rules", "account enabled minutes", "when somebody counts as idle"),
        Column("memberships", "user_id", Strategy.DELETE_ROW, "who belongs to a group", "user_id"),
        *not_personal("memberships", "account group_id", "which group"),
        *not_personal("views", "account view", "ids of views"),
        *not_personal(
            "queues",
            "account id title kind source model position state use_sla batch_size daily_limit scan_limit version "
            "created_at updated_at",
            "rules",
        ),
        Column("queues", "agents", Strategy.PSEUDONYMISE, "agents whom a queue is for", "agents"),
        *not_personal("view_tickets", "account view ticket", "what a view holds"),
        *not_personal(
            "view_reads",
            "account view read_at checked_at swept_until gone whole_at conditions",
            "when a view was read; of its conditions only statuses and groups are kept",
        ),
        *not_personal("ticket_changes", "account ticket xid at", "which tickets changed"),
        *not_personal(
            "usage_days",
            "account day sequence figures",
            "figures about five agents or more, by `domain/usage.py`",
        ),
        *not_personal("view_news", "account ticket updated_at heard_at", "which tickets changed"),
        Column(
            "tickets",
            "requester_id",
            Strategy.PSEUDONYMISE,
            "who asks: the only datum of an end user",
            "requester_id",
        ),
        Column("tickets", "assignee_id", Strategy.PSEUDONYMISE, "who works on it", "assignee_id"),
        *not_personal(
            "tickets",
            "account ticket status group_id priority created_at updated_at routing outcome assigned_at entered_at",
            "routing facts",
        ),
        *not_personal("schedules", "account id zone week holidays", "business hours"),
        Column("agent_capacities", "user_id", Strategy.DELETE_ROW, "whose capacity", "user_id"),
        *not_personal("agent_capacities", "account units", "how much"),
        Column("agent_schedules", "user_id", Strategy.DELETE_ROW, "whose shifts", "user_id"),
        *not_personal("agent_schedules", "account schedule", "which shifts"),
        *not_personal("ticket_slas", "account ticket read_at breach_at", "when a ticket's SLA is breached"),
        Column("tickets", "last_agent", Strategy.PSEUDONYMISE, "who had it before", "last_agent"),
        *not_personal("tickets", "last_agent_at returned_at", "when it came back"),
        Column("tickets", "dedicated", Strategy.PSEUDONYMISE, "for whom it is kept", "dedicated"),
        Column("dedicated_rules", "value", Strategy.DELETE_ROW, "whose tickets a rule is about", "value"),
        Column("dedicated_rules", "agents", Strategy.PSEUDONYMISE, "who is dedicated", "agents"),
        *not_personal("dedicated_rules", "account position kind fallback", "rules"),
        *not_personal("preferring", "account ticket since lease_until", "whose preference is to be found"),
        *not_personal("group_turns", "account group_id turns", "how many tickets a group got"),
        *not_personal("skills", "account skill title level drop_after_seconds steps", "kinds of skills"),
        *(
            Column(
                "shift_exceptions", column, Strategy.DELETE_ROW, "an agent's leave and overtime", "user_id"
            )
            for column in ["user_id", "starts_at", "ends_at", "kind"]
        ),
        Column(
            "agent_rate_limits",
            "user_id",
            Strategy.DELETE_ROW,
            "how many tickets an agent may get",
            "user_id",
        ),
        *not_personal("agent_rate_limits", "account tickets minutes", "the limit"),
        *not_personal("shift_exceptions", "account", "the tenant"),
        Column("agent_skills", "user_id", Strategy.DELETE_ROW, "what an agent can do", "user_id"),
        *not_personal("agent_skills", "account skill level", "which skill"),
        *not_personal("ticket_skills", "account ticket skill", "what a ticket needs"),
        *not_personal("skill_cursors", "account cursor", "how far a stream was read"),
        Column("assignments", "agent_id", Strategy.KEEP, _PROOF, "agent_id"),
        *not_personal(
            "assignments", "account id ticket group_id queue mechanism state assigned_at", "assignment"
        ),
        Column("decisions", "agent_id", Strategy.KEEP, _PROOF, "agent_id"),
        Column("decisions", "detail", Strategy.KEEP, _PROOF),
        *not_personal(
            "decisions",
            "account id sequence ticket outcome group_id queue mechanism model command as_of candidates "
            "rule_version rank write hash inputs",
            "the decision",
        ),
        Column("inputs", "snapshot", Strategy.KEEP, _PROOF),
        *not_personal("inputs", "account digest at base queue", "which facts a decision was made from"),
        Column("rotation", "agent_id", Strategy.DELETE_ROW, "turns of an agent", "agent_id"),
        *not_personal("rotation", "account queue balance", "turns"),
        *not_personal(
            "stretches", "account queue stretch", "a hash of whose turns they were: to notice a change"
        ),
        Column("outbox", "agent_id", Strategy.KEEP, _PROOF, "agent_id"),
        *not_personal(
            "outbox",
            "account id ticket group_id read_at queue as_of state attempts fence lease_until kind tags note",
            "a change on its way",
        ),
        *not_personal("queue_options", "account id options", "rules"),
        Column("offers", "agent_id", Strategy.KEEP, _PROOF, "agent_id"),
        *not_personal(
            "offers", "account id ticket group_id queue state offered_at expires_at ended_at", "an offer"
        ),
        Column("declines", "agent_id", Strategy.DELETE_ROW, "who is not asked again", "agent_id"),
        *not_personal("declines", "account ticket kind at told", "which ticket"),
        *not_personal("invocations", "account id at", "webhooks taken once"),
        *not_personal("data_keys", "account id purpose wrapped current writes created_at", "our own keys"),
        *not_personal("leases", "name holder fence expires_at", "who runs what"),
        *not_personal(
            "requests", "account request_id method body_hash response created_at", "answers to repeats"
        ),
        *not_personal(
            "zendesk_windows",
            "account bucket number capacity used ends_at held_until",
            "how many calls to Zendesk are left; a bucket is an endpoint or a view",
        ),
        *not_personal("erasures", "account request node attempt counts", "what was answered to an erasure"),
    ),
)
