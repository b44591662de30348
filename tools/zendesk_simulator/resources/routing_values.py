"""Which skills agents and tickets have (facts: Zendesk §6)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from tools.zendesk_simulator.bodies import action_of
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import Refusal, not_found, number, wrong_type
from tools.zendesk_simulator.paging import ids_of
from tools.zendesk_simulator.resources.jobs import each, start_job, works
from tools.zendesk_simulator.resources.routing import log, shown
from tools.zendesk_simulator.resources.ticket_rows import find as find_ticket
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Account, Row

ACTIONS = ("upsert", "update", "delete")
MOST_AGENTS = 100


def _held(account: Account, table: str, owner: int) -> dict[str, Row]:
    """Return what an agent or ticket has, by value id."""
    return account.tables[table].setdefault(owner, {})


def _set(account: Account, table: str, owner: int, wanted: Iterable[object], *, keep: bool = False) -> None:
    """Give an agent or ticket values; ids that do not exist are ignored."""
    kind = "agent" if table == "agent_values" else "ticket"
    known, held = account.tables["attribute_values"], _held(account, table, owner)
    ids = [str(i) for i in wanted if str(i) in known]
    for value_id in [i for i in held if not keep and i not in ids]:
        _drop(account, table, owner, value_id)
    for value_id in dict.fromkeys(i for i in ids if i not in held):
        now = stamp(account.now())
        held[value_id] = {"id": str(uuid.uuid4()), "created_at": now, "updated_at": now}
        _log(account, f"associate_{kind}", held[value_id], value_id, owner)


def _drop(account: Account, table: str, owner: int, value_id: str) -> None:
    kind = "agent" if table == "agent_values" else "ticket"
    row = _held(account, table, owner).pop(value_id)
    _log(account, f"unassociate_{kind}", row, value_id, owner)


def _log(account: Account, kind: str, row: Row, value_id: str, owner: int) -> None:
    log(account, "instance_values", kind, row["id"], attribute_value_id=value_id, instance_id=str(owner))


def set_ticket_values(account: Account, ticket_id: int, wanted: Iterable[object]) -> None:
    """Replace a ticket's skills."""
    _set(account, "ticket_values", ticket_id, wanted)


def set_agent_values(account: Account, user_id: int, wanted: Iterable[object]) -> None:
    """Replace an agent's skills."""
    _set(account, "agent_values", user_id, wanted)


def take_away(account: Account, value_id: str) -> None:
    """Take a value from everybody who has it."""
    for table in ("agent_values", "ticket_values"):
        for owner, held in account.tables[table].items():
            if value_id in held:
                _drop(account, table, owner, value_id)


def _wanted(call: Call) -> list[object]:
    given = call.body.get("attribute_value_ids")
    if not isinstance(given, list):
        raise wrong_type("attribute_value_ids", "an array", action_of(call))
    return given


def _agent(account: Account, user_id: object) -> Row:
    row = account.users.get(number(user_id))
    if row is None or row["role"] == "end-user" or not row["active"]:
        raise not_found()
    return row


def _values(account: Account, table: str, owner: int) -> list[Row]:
    known = account.tables["attribute_values"]
    rows = [known[i] for i in _held(account, table, owner)]
    return [shown(r) for r in rows] if table == "agent_values" else rows


async def of_agent(call: Call) -> Row:
    call.require_agent()
    agent = _agent(call.account, call.path["id"])
    if call.request.method == "POST":
        require(call, "manage_skills")
        set_agent_values(call.account, agent["id"], _wanted(call))
    return {"attribute_values": _values(call.account, "agent_values", agent["id"])}


async def of_ticket(call: Call) -> Row:
    call.require_agent()
    ticket = find_ticket(call.account, call.path["id"])
    if call.request.method == "POST":
        set_ticket_values(call.account, ticket["id"], _wanted(call))
    return {"attribute_values": _values(call.account, "ticket_values", ticket["id"])}


async def of_agents(call: Call) -> Row:
    call.require_agent()
    account, known = call.account, call.account.tables["attribute_values"]
    texts = str(call.query.get("filter[agent_ids]", ""))
    asked = ids_of(call.request, "filter[agent_ids]", MOST_AGENTS)
    if not texts:
        raise _invalid("filter[agent_ids]", "present")
    rows = [
        {
            "id": row["id"],
            "agent_id": agent,
            "attribute_id": known[value_id]["attribute_id"],
            "attribute_value_id": value_id,
            "name": known[value_id]["name"],
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
        }
        for agent in asked
        for value_id, row in account.tables["agent_values"].get(agent, {}).items()
    ]
    return {"instance_values": rows, "count": len(rows), "next_page": None, "previous_page": None}


def _invalid(name: str, what: str) -> Refusal:
    text = f"You passed an invalid value for the {name} attribute. Invalid parameter: {name} must be {what}"
    return Refusal(400, {"error": {"title": "Invalid attribute", "message": text}})


async def job(call: Call) -> Row:
    """Many agents at once: `upsert` adds, `update` replaces, `delete` removes."""
    require(call, "manage_skills")
    given = call.body.get("job")
    if not isinstance(given, dict) or given.get("action") not in ACTIONS:
        raise _invalid("action", f"one of {', '.join(ACTIONS)}")
    items = given.get("items")
    if not isinstance(items, list) or not 0 < len(items) <= MOST_AGENTS:
        raise _invalid("items", f"an array of at most {MOST_AGENTS} agent ids")
    values = [v.get("id") for v in (given.get("attributes") or {}).get("attribute_values") or []]
    work = {"kind": "agent_values", "action": given["action"], "items": items, "values": values}
    return {"job_status": start_job(call.account, "Bulk Set Agent Attribute Values", len(items), work=work)}


@works("agent_values")
def _do(account: Account, work: Row) -> list[Row]:
    def one(user_id: object) -> None:
        agent = _agent(account, user_id)["id"]
        if work["action"] == "delete":
            for value_id in [v for v in work["values"] if v in _held(account, "agent_values", agent)]:
                _drop(account, "agent_values", agent, value_id)
        else:
            _set(account, "agent_values", agent, work["values"], keep=work["action"] == "upsert")

    return each([(number(i), i) for i in work["items"]], work["action"], "Updated", one)


async def fulfilled(call: Call) -> Row:
    """The tickets whose skills the calling agent all has."""
    user, account = call.require_agent(), call.account
    mine = set(account.tables["agent_values"].get(user["id"], {}))
    ids = [i for i in ids_of(call.request, "ticket_ids") if i in account.tickets]
    return {
        "fulfilled_ticket_ids": [i for i in ids if set(account.tables["ticket_values"].get(i, {})) <= mine]
    }


ROUTES = [
    endpoint("GET", "routing/agents/instance_values", of_agents),
    endpoint("POST", "routing/agents/instance_values/job", job),
    endpoint("GET POST", "routing/agents/{id:int}/instance_values", of_agent),
    endpoint("GET POST", "routing/tickets/{id:int}/instance_values", of_ticket),
    endpoint("GET", "routing/requirements/fulfilled", fulfilled),
]
