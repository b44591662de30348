"""The smaller things that a description of an account may name: organisations, skills, hours, levels, statuses."""

from __future__ import annotations

from typing import Any

from tools.zendesk_simulator.resources.custom_statuses import add_status
from tools.zendesk_simulator.resources.organization_memberships import add as add_member
from tools.zendesk_simulator.resources.organizations import add_organization
from tools.zendesk_simulator.resources.routing import add_attribute, add_value
from tools.zendesk_simulator.resources.routing_values import set_agent_values
from tools.zendesk_simulator.resources.schedules import add_schedule
from tools.zendesk_simulator.resources.sla_routes import add_policy
from tools.zendesk_simulator.state import Account

Spec = dict[str, Any]


def seed_before_users(account: Account, spec: Spec) -> Spec:
    """Make what users and tickets may name; return the ids that were given.

    Members: organizations, skills (a list of `{name, values: [name]}`), schedules, sla_policies, custom_statuses.
    """
    skills = {}
    for one in spec.get("skills", ()):
        attribute = add_attribute(account, one["name"])
        values = {name: add_value(account, attribute["id"], name)["id"] for name in one.get("values", ())}
        skills[one["name"]] = {"id": attribute["id"], "values": values}
    return {
        "organizations": [add_organization(account, o)["id"] for o in spec.get("organizations", ())],
        "skills": skills,
        "schedules": [add_schedule(account, s)["id"] for s in spec.get("schedules", ())],
        "sla_policies": [add_policy(account, p)["id"] for p in spec.get("sla_policies", ())],
        "custom_statuses": [add_status(account, s)["id"] for s in spec.get("custom_statuses", ())],
    }


def seed_user(account: Account, user_id: int, spec: Spec) -> None:
    """Give a user what his description names: his organisation, and his skills by their names."""
    organization = account.tables["organizations"].get(spec.get("organization_id"))
    if organization is not None:
        add_member(account, user_id, organization["id"])
    if wanted := spec.get("skills"):
        known = account.tables["attribute_values"].values()
        set_agent_values(account, user_id, [v["id"] for v in known if v["name"] in wanted])
