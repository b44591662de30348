"""What changed: tickets, for whoever keeps a copy of what waits; and that queues want to be drained."""

from alembic import op

revision = "0018"
down_revision = "0017"

# A reader asks for everything since the oldest transaction that could still have been running when it last asked:
# rows carry the transaction's id, not a number that could become visible out of order.
_CHANGES = """
CREATE TABLE ticket_changes (
    account text NOT NULL,
    ticket  bigint NOT NULL,
    xid     xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ticket_changes_since ON ticket_changes (account, xid);
CREATE FUNCTION note_ticket_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ticket_changes (account, ticket) SELECT DISTINCT account, ticket FROM changed;
    RETURN NULL;
END $$;
"""
_KEPT = ("tickets", "ticket_slas", "ticket_skills", "declines", "view_tickets", "preferring")
_EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}

# A notice, once per transaction and account however often it is raised.
_DUE = """
CREATE FUNCTION rounds_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('assignment_rounds', CASE WHEN TG_OP = 'DELETE' THEN OLD.account ELSE NEW.account END);
    RETURN NULL;
END $$;
"""
_OPEN = "status IN ('new', 'open')"
_CAPACITY = {
    ("tickets", "INSERT"): "NEW.routing = 'waiting'",
    # A ticket waits, or waits elsewhere; or it is nobody's open ticket any more.
    ("tickets", "UPDATE"): f"""
        (NEW.routing = 'waiting' AND (OLD.routing, OLD.group_id, OLD.priority, OLD.dedicated)
            IS DISTINCT FROM (NEW.routing, NEW.group_id, NEW.priority, NEW.dedicated))
        OR (OLD.assignee_id IS NOT NULL AND OLD.{_OPEN}
            AND (NEW.assignee_id IS DISTINCT FROM OLD.assignee_id OR NOT NEW.{_OPEN}))""",
    ("preferring", "DELETE"): "true",
    ("offers", "UPDATE"): "OLD.state = 'offered' AND NEW.state IN ('declined', 'expired', 'withdrawn')",
    ("assignments", "UPDATE"): "OLD.state <> 'conflict' AND NEW.state = 'conflict'",
    ("agents", "INSERT"): "NEW.status = 'online'",
    ("agents", "UPDATE"): """
        (OLD.status, OLD.active, OLD.suspended, OLD.role, OLD.role_type, OLD.custom_role_id, OLD.inbox_limit,
         OLD.daily_limit) IS DISTINCT FROM (NEW.status, NEW.active, NEW.suspended, NEW.role, NEW.role_type,
         NEW.custom_role_id, NEW.inbox_limit, NEW.daily_limit)""",
    ("memberships", "INSERT"): "true",
    ("declines", "DELETE"): "true",
    ("agent_skills", "INSERT"): "true",
    ("agent_skills", "UPDATE"): "OLD.* IS DISTINCT FROM NEW.*",
    ("skills", "UPDATE"): "OLD.* IS DISTINCT FROM NEW.*",
    ("ticket_skills", "DELETE"): "true",
    ("agent_capacities", "INSERT"): "true",
    ("agent_capacities", "UPDATE"): "OLD.* IS DISTINCT FROM NEW.*",
    ("agent_capacities", "DELETE"): "true",
    ("agent_schedules", "INSERT"): "true",
    ("agent_schedules", "UPDATE"): "OLD.* IS DISTINCT FROM NEW.*",
    ("agent_schedules", "DELETE"): "true",
    ("shift_exceptions", "INSERT"): "true",
    ("shift_exceptions", "DELETE"): "true",
    ("queues", "INSERT"): "true",
    ("queues", "UPDATE"): "true",
    ("queues", "DELETE"): "true",
    ("queue_options", "INSERT"): "true",
    ("queue_options", "UPDATE"): "OLD.* IS DISTINCT FROM NEW.*",
    (
        "accounts",
        "UPDATE",
    ): "OLD.rule_version <> NEW.rule_version OR OLD.group_restrictions <> NEW.group_restrictions "
    "OR OLD.role_restrictions <> NEW.role_restrictions",
}


def upgrade() -> None:
    op.execute(_CHANGES)
    for table in _KEPT:
        for event, rows in _EVENTS.items():
            op.execute(
                f"CREATE TRIGGER {table}_{event.lower()}_noted AFTER {event} ON {table} "
                f"REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_ticket_changes()"
            )
    op.execute(_DUE)
    for (table, event), condition in _CAPACITY.items():
        op.execute(
            f"CREATE TRIGGER {table}_{event.lower()}_due AFTER {event} ON {table} "
            f"FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION rounds_due()"
        )
