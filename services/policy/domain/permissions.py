"""Permissions of a type: defaults, merge patch, the answer's form (seed 002; facts: policy §1).

Kept as plain JSON values: `{"rbac": policy, "rebac": {relationship type: policy}}`, a policy being
`{"admin": row, "agent": row, "end_user": row, "custom": {role id: row}}` and a row `{verb: bool}`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping

from libs.decision.rows import ROLES, RU, Json
from libs.kernel.errors import FieldViolation
from services.policy.domain.errors import PermissionsInvalidError

CRUD = ("create", "delete", "read", "update")
_ROLE_ID = re.compile(r"[0-9]{1,20}", re.ASCII)


def default_rbac() -> Json:
    """Return the policy that every new type gets."""
    return {
        "admin": dict.fromkeys(CRUD, True),
        "agent": dict.fromkeys(CRUD, True),
        "end_user": dict.fromkeys(CRUD, False),
    }


def default_rebac() -> Json:
    """Return what fills a new ReBAC policy."""
    return {
        "admin": dict.fromkeys(RU, True),
        "agent": dict.fromkeys(RU, False),
        "end_user": dict.fromkeys(RU, False),
    }


def new_permissions() -> Json:
    """Return the permissions of a type that was never updated."""
    return {"rbac": default_rbac(), "rebac": {}}


def _under(pointer: str, name: str) -> str:
    """Return the JSON pointer of a member (RFC 6901: `~` and `/` are escaped)."""
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"


class _Merge:
    """Collects every fault of a patch; the result counts only when there is none.

    Args:
        lenient: whether unknown members are ignored and named, instead of being faults.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self.faults: list[FieldViolation] = []
        self.ignored: list[str] = []
        self._lenient = lenient

    def fault(self, pointer: str, text: str) -> None:
        self.faults.append(FieldViolation(pointer, text))

    def members(self, value: object, pointer: str, allowed: tuple[str, ...] | None) -> Mapping[str, object]:
        """Return an object's members; anything that is no object, and unknown members, are faults."""
        if not isinstance(value, dict):
            self.fault(pointer, "must be an object")
            return {}
        if allowed is not None:
            for name in sorted(value.keys() - set(allowed)):
                if self._lenient:
                    self.ignored.append(_under(pointer, name))
                elif allowed == RU and name in CRUD:
                    self.fault(
                        _under(pointer, name), "is not a permission of a relationship policy: read, update"
                    )
                else:
                    self.fault(_under(pointer, name), f"is not one of {', '.join(allowed)}")
        return {k: v for k, v in value.items() if allowed is None or k in allowed}

    def row(self, base: Mapping[str, bool], patch: object, pointer: str, default: Mapping[str, bool]) -> Json:
        """Merge one row: left out keeps the base, null goes back to the default."""
        row = dict(base)
        for verb, value in self.members(patch, pointer, tuple(default)).items():
            if value is None:
                row[verb] = default[verb]
            elif isinstance(value, bool):
                row[verb] = value
            else:
                self.fault(f"{pointer}/{verb}", "must be true, false or null")
        return row

    def policy(self, base: Json, patch: object, pointer: str, default: Json) -> Json:
        """Merge one policy: rows deep, custom rows with bases of their own."""
        merged = copy.deepcopy(base)
        for name, value in self.members(patch, pointer, (*ROLES, "custom")).items():
            where = f"{pointer}/{name}"
            if name == "custom":
                self._custom(merged, value, where, tuple(default["agent"]))
            elif value is None:
                merged[name] = dict(default[name])
            else:
                merged[name] = self.row(merged[name], value, where, default[name])
        return merged

    def _custom(self, merged: Json, patch: object, pointer: str, verbs: tuple[str, ...]) -> None:
        if patch is None:
            merged.pop("custom", None)
            return
        nothing = dict.fromkeys(verbs, False)
        rows = merged.setdefault("custom", {})
        for role, value in self.members(patch, pointer, None).items():
            where = _under(pointer, role)
            if not _ROLE_ID.fullmatch(role):
                # Whether the role exists is not checked (seed 002); a key that can be no id is a slip.
                self.fault(where, "is not the id of a custom role: 1 to 20 digits")
            elif value is None:
                rows.pop(role, None)
            else:
                # A new row's omissions are false; an existing row keeps its previous values.
                rows[role] = self.row(rows.get(role, nothing), value, where, nothing)
        if not rows:
            del merged["custom"]


def merge(
    stored: Json,
    patch: object,
    *,
    object_type: bool,
    may_carry: Callable[[str], bool],
    lenient: bool = False,
    root: str = "/data",
) -> tuple[Json, list[str]]:
    """Return permissions after a merge patch (RFC 7396, with a base for what is missing), and what it ignored.

    Args:
        stored: permissions as they are.
        patch: the value of `data`.
        object_type: relationship types have no ReBAC.
        may_carry: tells whether a relationship type goes from `zen:user` to this object type.
        lenient: ignore unknown members; their JSON pointers are returned (facts: policy, decision 1).
        root: JSON pointer of the patch, for faults.

    Raises:
        PermissionsInvalidError: with every fault; nothing is to be stored.
    """
    work = _Merge(lenient=lenient)
    merged = copy.deepcopy(stored)
    for name, value in work.members(patch, root, ("rbac", "rebac")).items():
        where = f"{root}/{name}"
        if name == "rbac":
            merged["rbac"] = (
                default_rbac() if value is None else work.policy(merged["rbac"], value, where, default_rbac())
            )
        elif value is None:
            merged["rebac"] = {}
        elif not object_type:
            if work.members(value, where, None):
                work.fault(where, "relationship types have no relationship-based policies")
        else:
            _merge_rebac(work, merged["rebac"], value, where, may_carry)
    if work.faults:
        names = ", ".join(f"`{f.field}` {f.description}" for f in work.faults[:3])
        raise PermissionsInvalidError(f"the permissions are not valid: {names}", violations=work.faults)
    return merged, work.ignored


def _merge_rebac(
    work: _Merge, policies: Json, patch: object, pointer: str, may_carry: Callable[[str], bool]
) -> None:
    for key, value in work.members(patch, pointer, None).items():
        where = _under(pointer, key)
        if value is None:
            policies.pop(key, None)
        elif key not in policies and not may_carry(key):
            work.fault(where, "is not a relationship type from zen:user to this object type")
        else:
            policies[key] = work.policy(policies.get(key, default_rebac()), value, where, default_rebac())


def shown(permissions: Json, *, patched: bool) -> Json:
    """Return permissions as the endpoints answer them: always full, members in alphabetical order.

    `rebac` is left out of a GET when there is none; a PATCH always has it.
    """
    answer: Json = {"rbac": _ordered(permissions["rbac"])}
    if permissions["rebac"] or patched:
        answer["rebac"] = {key: _ordered(policy) for key, policy in sorted(permissions["rebac"].items())}
    return answer


def _ordered(policy: Json) -> Json:
    rows: Json = {name: dict(sorted(policy[name].items())) for name in ROLES}
    if policy.get("custom"):
        rows["custom"] = {role: dict(sorted(row.items())) for role, row in sorted(policy["custom"].items())}
    return dict(sorted(rows.items()))
