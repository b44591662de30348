"""Which statuses an account has, who may choose which, and when an agent is idle (facts: §2.7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from libs.kernel.errors import FieldViolation, InvalidRequestError, NotFoundError, PermissionDeniedError
from services.assignment.app.options import AccountOptions
from services.assignment.app.rows import Account, AgentRow
from services.assignment.app.status_history import IdleRule

BUILT_IN = ("online", "away", "invisible")
_NAMED = 10
"""Of unknown agents, in one refusal."""


def statuses_of(options: AccountOptions) -> list[str]:
    """Return the statuses that exist in an account: the built-in ones, and what its settings name."""
    return list(dict.fromkeys((*BUILT_IN, *options.statuses, *options.ooo_statuses)))


def choices(options: AccountOptions, role: str, custom_role_id: int | None) -> list[str]:
    """Return what an agent may choose; a limit of his custom role goes before one of his role."""
    limits, known = dict(options.role_statuses), statuses_of(options)
    limit = limits.get(f"custom/{custom_role_id}", limits.get(role))
    return known if limit is None else [status for status in known if status in limit]


def require_status(options: AccountOptions, status: str, field: str) -> None:
    """Refuse a status that does not exist.

    Raises:
        InvalidRequestError: it does not.
    """
    if fault := _unknown(options, status):
        raise InvalidRequestError(fault, violations=[FieldViolation(field, fault)])


def require_choices(
    options: AccountOptions,
    agents: Mapping[int, AgentRow],
    statuses: Mapping[int, str],
    acting: int | None,
) -> None:
    """Refuse statuses that cannot be set. Limits of roles bind an agent's own choice, not what others set.

    Args:
        agents: those of `statuses` who are known.
        acting: who sets them; None = an integration.

    Raises:
        NotFoundError: an agent is unknown.
        InvalidRequestError: a status does not exist.
        PermissionDeniedError: the acting agent's role may not choose the status.
    """
    strangers = sorted(statuses.keys() - agents.keys())
    if strangers:
        named = ", ".join(str(user) for user in strangers[:_NAMED])
        raise NotFoundError(
            f"no such agent: `{named}`{' and others' if len(strangers) > _NAMED else ''}; sync the account if they are new",
            metadata={"user_ids": named},
        )
    faults = [
        FieldViolation(f"statuses[{place}].status", fault)
        for place, status in enumerate(statuses.values())
        if (fault := _unknown(options, status))
    ]
    if faults:
        raise InvalidRequestError(faults[0].description, violations=faults)
    if acting is not None and acting in statuses:
        _require_choice(options, agents[acting], statuses[acting])


def _require_choice(options: AccountOptions, agent: AgentRow, status: str) -> None:
    may = choices(options, agent.role, agent.custom_role_id)
    if status in may:
        return
    limits = dict(options.role_statuses)
    role = f"custom/{agent.custom_role_id}"
    role = role if role in limits else agent.role
    raise PermissionDeniedError(
        f"the role `{role}` may not choose `{status}`, only {', '.join(may) or 'nothing'}: an admin can add it to "
        "the role in the account's `role_statuses`",
        metadata={"role": role, "status": status},
    )


def require_sound_statuses(account: Account) -> None:
    """Refuse settings whose statuses contradict themselves.

    Raises:
        InvalidRequestError: a status is named twice or built in, a role is named twice, or one of them, or who
            never set a status, has one that does not exist.
    """
    options, faults = account.options, []
    for place, status in enumerate(options.statuses):
        if status in BUILT_IN or status in options.statuses[:place]:
            fault = f"`{status}` exists already: leave it out"
            faults.append(FieldViolation(f"settings.statuses[{place}]", fault))
    roles = [role for role, _ in options.role_statuses]
    for place, (role, may) in enumerate(options.role_statuses):
        if role in roles[:place]:
            fault = f"`{role}` is limited already: name each role once"
            faults.append(FieldViolation(f"settings.role_statuses[{place}]", fault))
        faults += [
            FieldViolation(f"settings.role_statuses[{place}].statuses", fault)
            for status in may
            if (fault := _unknown(options, status))
        ]
    if fault := _unknown(options, account.default_status):
        faults.append(FieldViolation("settings.default_status", fault))
    if faults:
        raise InvalidRequestError("the statuses cannot be used", violations=faults)


def idle_after(options: AccountOptions, rule: IdleRule | None) -> timedelta | None:
    """Return how long an online agent may do nothing; None = for ever."""
    own = rule or IdleRule()
    enabled = options.idle_minutes is not None if own.enabled is None else own.enabled
    minutes = options.idle_minutes if own.minutes is None else own.minutes
    return timedelta(minutes=minutes) if enabled and minutes is not None else None


def _unknown(options: AccountOptions, status: str) -> str:
    known = statuses_of(options)
    if status in known:
        return ""
    return f"there is no status `{status}`: use one of {', '.join(known)}, or name it in the account's `statuses`"
