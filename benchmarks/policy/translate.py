"""Our policies as Cedar's and as Cerbos', rule by rule, and our questions as theirs.

Both keep relationships in attributes: the record has the list of users whom one leads to it. Cedar holds all
records in memory as we do; to Cerbos the caller sends the attributes with each request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from benchmarks.policy.model import CONTRACT, LIMIT, PRODUCT, TYPES, Asked
from libs.decision.rows import OBJECT, Json

_ALLOW = "EFFECT_ALLOW"


class Rule(NamedTuple):
    """What one row of one policy allows.

    Attributes:
        row: admin, agent, end_user or the id of a custom role.
        customs: custom roles that have rows of their own in the same policy.
    """

    type: str
    row: str
    actions: tuple[str, ...]
    customs: tuple[str, ...]
    related: bool
    conditional: bool


def rules() -> Iterator[Rule]:
    """Yield what the model's policies allow."""
    for row in TYPES:
        if row.kind != OBJECT:
            continue
        yield from _of(row.key, row.permissions["rbac"], related=False, conditional=False)
        for policy in row.permissions["rebac"].values():
            yield from _of(row.key, policy, related=True, conditional=False)
        for policy in row.extensions.get("policies", {}).values():
            yield from _of(row.key, policy["rows"], related=True, conditional=True)


def _of(key: str, policy: Json, *, related: bool, conditional: bool) -> Iterator[Rule]:
    custom = policy.get("custom", {})
    for name, verbs in {**{r: v for r, v in policy.items() if r != "custom"}, **custom}.items():
        actions = tuple(verb for verb, allowed in verbs.items() if allowed)
        if actions:
            yield Rule(key, name, actions, tuple(custom), related, conditional)


def cedar_policies() -> str:
    """Return the model in Cedar's language."""
    return "\n".join(_cedar(rule) for rule in rules())


def _cedar(rule: Rule) -> str:
    if rule.row in rule.customs:
        who = f'principal.role == "agent" && principal has custom && principal.custom == {rule.row}'
    else:
        who = f'principal.role == "{rule.row}"'
        if rule.row == "agent":
            who += f" && !(principal has custom && [{', '.join(rule.customs)}].contains(principal.custom))"
    if rule.related:
        who += " && resource.related.contains(principal)"
    if rule.conditional:
        who += f' && resource.amount <= {LIMIT} && context.channel == "web"'
    actions = ", ".join(f'Action::"{action}"' for action in rule.actions)
    return f"permit(principal, action in [{actions}], resource is {rule.type}) when {{ {who} }};"


def cedar_entities(asked: Iterable[Asked]) -> list[dict[str, Any]]:
    """Return the users and records that are asked about."""
    users: dict[int, dict[str, Any]] = {}
    records: dict[str, dict[str, Any]] = {}
    for one in asked:
        attributes = {"role": one.user.role}
        custom = {} if one.user.custom_role_id is None else {"custom": one.user.custom_role_id}
        users[one.user.id] = {"uid": _user(one.user.id), "attrs": {**attributes, **custom}, "parents": []}
        related = [{"__entity": _user(user)} for user in one.related]
        records[one.record] = {
            "uid": {"type": one.type, "id": one.record},
            "attrs": {"related": related, **one.attributes},
            "parents": [],
        }
    return [*users.values(), *records.values()]


def _user(user_id: int) -> dict[str, str]:
    return {"type": "User", "id": str(user_id)}


def cedar_request(asked: Asked) -> dict[str, Any]:
    """Return a question as cedarpy takes it."""
    return {
        "principal": f'User::"{asked.user.id}"',
        "action": f'Action::"{asked.action}"',
        "resource": f'{asked.type}::"{asked.record}"',
        "context": {"channel": asked.channel},
    }


def cerbos_policies() -> dict[str, Any]:
    """Return the model as Cerbos' resource policies."""
    policies = {}
    for kind in (PRODUCT, CONTRACT):
        body = {
            "resource": kind,
            "version": "default",
            "rules": [_cerbos(r) for r in rules() if r.type == kind],
        }
        policies[kind] = {"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": body}
    return policies


def _cerbos(rule: Rule) -> dict[str, Any]:
    role, conditions = rule.row, []
    if rule.row in rule.customs:
        role = "agent"
        conditions.append(f'P.attr.custom == "{rule.row}"')
    elif rule.row == "agent":
        conditions.append(f"!(P.attr.custom in {list(rule.customs)})")
    if rule.related:
        conditions.append("P.id in R.attr.related")
    if rule.conditional:
        conditions.append(f'R.attr.amount <= {LIMIT}.0 && P.attr.channel == "web"')
    made: dict[str, Any] = {"actions": list(rule.actions), "effect": _ALLOW, "roles": [role]}
    if conditions:
        made["condition"] = {"match": {"all": {"of": [{"expr": one} for one in conditions]}}}
    return made


def cerbos_request(asked: Sequence[Asked]) -> dict[str, Any]:
    """Return questions about one user as one CheckResources request, in JSON."""
    user = asked[0].user
    custom = "" if user.custom_role_id is None else str(user.custom_role_id)
    return {
        "principal": {
            "id": str(user.id),
            "roles": [user.role],
            "attr": {"custom": custom, "channel": asked[0].channel},
        },
        "resources": [
            {
                "actions": [one.action],
                "resource": {
                    "kind": one.type,
                    "id": one.record,
                    "attr": {"related": [str(user) for user in one.related], **one.attributes},
                },
            }
            for one in asked
        ],
    }
