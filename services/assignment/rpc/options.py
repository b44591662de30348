"""Options of an account as messages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from libs.kernel.errors import FieldViolation, InvalidRequestError
from services.assignment.app.options import OOO_NOTE, AccountOptions
from services.assignment.rpc.limits import limit_in, written
from setlist.assignment.v1 import assignment_resources_pb2 as resources

_PLACEHOLDERS = ("{{", "{%")
"""How Zendesk's placeholders and conditions begin (Liquid)."""
_ANCHORS = {
    resources.SameAgent.ANCHOR_UNSPECIFIED: "oldest",
    resources.SameAgent.ANCHOR_OLDEST: "oldest",
    resources.SameAgent.ANCHOR_NEWEST: "newest",
}
_MATCHES = {
    resources.SameAgent.MATCH_GROUP: "group",
    resources.SameAgent.MATCH_BRAND: "brand",
    resources.SameAgent.MATCH_FORM: "form",
}
_MATCH_VALUES = {name: value for value, name in _MATCHES.items()}
_RETURNED = {
    resources.RETURNED_TICKETS_UNSPECIFIED: "departed",
    resources.RETURNED_TICKETS_KEEP: "keep",
    resources.RETURNED_TICKETS_DEPARTED: "departed",
    resources.RETURNED_TICKETS_OUT_OF_OFFICE: "out_of_office",
    resources.RETURNED_TICKETS_OFFLINE: "offline",
}
_RETURNED_VALUES = {name: value for value, name in _RETURNED.items()}


def options_of(
    given: resources.AccountSettings, options: AccountOptions, paths: Collection[str]
) -> AccountOptions:
    """Return options with the named fields of a message.

    Raises:
        InvalidRequestError: they contradict themselves.
    """
    if "capacity_units" in paths:
        units = given.capacity_units if given.HasField("capacity_units") else None
        options = replace(options, capacity_units=units)
    if "rate_limit" in paths:
        options = replace(options, rate_limit=written(limit_in(given.rate_limit, "settings.rate_limit")))
    if "group_tags" in paths:
        options = replace(options, group_tags=given.group_tags)
    if "group_shares" in paths:
        shares = tuple((share.group_id, share.weight) for share in given.group_shares)
        options = replace(options, group_shares=shares)
    if "statuses" in paths:
        options = replace(options, statuses=tuple(given.statuses))
    if "role_statuses" in paths:
        limits = tuple((_role(limit), tuple(limit.statuses)) for limit in given.role_statuses)
        options = replace(options, role_statuses=limits)
    if "skills" in paths:
        options = replace(options, skills=given.skills)
    if "idle" in paths:
        idle = given.idle if given.HasField("idle") else None
        options = replace(
            options,
            idle_minutes=idle.timeout_minutes if idle else None,
            idle_status=(idle.status if idle else "") or "away",
        )
    if "out_of_office" in paths:
        options = replace(options, **_out_of_office(given))
    if "same_agent" in paths:
        same = given.same_agent if given.HasField("same_agent") else None
        options = replace(
            options,
            same_agent_hours=same.window_hours if same else None,
            same_agent_anchor=_ANCHORS[same.anchor] if same else "oldest",
            same_agent_tag=same.tag if same else "",
            **_criteria(same or resources.SameAgent()),
        )
    if "returned_tickets" in paths:
        options = replace(options, returned=_RETURNED[given.returned_tickets])
    return options


def _role(limit: resources.RoleStatuses) -> str:
    return f"custom/{limit.custom_role_id}" if limit.HasField("custom_role_id") else limit.role


def _limit(role: str, statuses: Collection[str]) -> resources.RoleStatuses:
    kind, _, number = role.partition("/")
    if number:
        return resources.RoleStatuses(custom_role_id=int(number), statuses=statuses)
    return resources.RoleStatuses(role=kind, statuses=statuses)


def _criteria(same: resources.SameAgent) -> dict[str, Any]:
    for place, tag in enumerate(same.excluded_tags):
        if tag in same.tags:
            violation = FieldViolation(
                f"settings.same_agent.excluded_tags[{place}]",
                f"`{tag}` is asked for and excluded at once: take it out of one of the two",
            )
            raise InvalidRequestError("the settings cannot be used", violations=[violation])
    return {
        "same_agent_match": tuple(_MATCHES[one] for one in same.match),
        "same_agent_fields": tuple(same.match_field_ids),
        "same_agent_priorities": tuple(same.priorities),
        "same_agent_channels": tuple(same.channels),
        "same_agent_tags": tuple(same.tags),
        "same_agent_excluded_tags": tuple(same.excluded_tags),
    }


def _out_of_office(given: resources.AccountSettings) -> dict[str, Any]:
    out = given.out_of_office
    if "online" in out.statuses:
        violation = FieldViolation(
            "settings.out_of_office.statuses",
            "`online` receives tickets: name a status in which an agent is away",
        )
        raise InvalidRequestError("the settings cannot be used", violations=[violation])
    if any(mark in out.note_text for mark in _PLACEHOLDERS):
        violation = FieldViolation(
            "settings.out_of_office.note_text",
            "placeholders would put what is in the ticket into the note: write it without `{{` and `{%`",
        )
        raise InvalidRequestError("the settings cannot be used", violations=[violation])
    return {
        "ooo_statuses": tuple(out.statuses),
        "ooo_tag": out.tag or "agent_ooo",
        "ooo_advanced": out.advanced,
        "ooo_release": out.release,
        "ooo_on_idle": out.on_idle,
        "ooo_note": (out.note_text.strip() or OOO_NOTE) if out.note else "",
    }


def put_options(message: resources.AccountSettings, options: AccountOptions) -> resources.AccountSettings:
    """Set a message's fields; return it."""
    message.skills, message.group_tags = options.skills, options.group_tags
    message.returned_tickets = _RETURNED_VALUES[options.returned]
    message.rate_limit = options.rate_limit
    if options.capacity_units is not None:
        message.capacity_units = options.capacity_units
    message.statuses.extend(options.statuses)
    message.role_statuses.extend(_limit(role, statuses) for role, statuses in options.role_statuses)
    message.group_shares.extend(
        resources.GroupShare(group_id=group, weight=weight) for group, weight in options.group_shares
    )
    if options.idle_minutes is not None:
        message.idle.timeout_minutes, message.idle.status = options.idle_minutes, options.idle_status
    if options.ooo_statuses:
        message.out_of_office.CopyFrom(
            resources.OutOfOffice(
                statuses=options.ooo_statuses,
                tag=options.ooo_tag,
                advanced=options.ooo_advanced,
                release=options.ooo_release,
                on_idle=options.ooo_on_idle,
                note=bool(options.ooo_note),
                note_text="" if options.ooo_note == OOO_NOTE else options.ooo_note,
            )
        )
    if options.same_agent_hours is not None:
        newest = options.same_agent_anchor == "newest"
        message.same_agent.CopyFrom(
            resources.SameAgent(
                window_hours=options.same_agent_hours,
                anchor=resources.SameAgent.ANCHOR_NEWEST if newest else resources.SameAgent.ANCHOR_OLDEST,
                tag=options.same_agent_tag,
                match=[_MATCH_VALUES[one] for one in options.same_agent_match],
                match_field_ids=options.same_agent_fields,
                priorities=options.same_agent_priorities,
                channels=options.same_agent_channels,
                tags=options.same_agent_tags,
                excluded_tags=options.same_agent_excluded_tags,
            )
        )
    return message
