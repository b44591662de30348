"""Options of an account as messages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from libs.kernel.errors import NotBuiltError
from services.assignment.app.options import AccountOptions
from setlist.assignment.v1 import assignment_resources_pb2 as resources

_ANCHORS = {
    resources.SameAgent.ANCHOR_UNSPECIFIED: "oldest",
    resources.SameAgent.ANCHOR_OLDEST: "oldest",
    resources.SameAgent.ANCHOR_NEWEST: "newest",
}
_UNBUILT = {
    "out_of_office": "out of office is not built yet",
    "idle": "idle rules are not built yet",
    "group_shares": "distribution to groups is not built yet",
}


def options_of(
    given: resources.AccountSettings, options: AccountOptions, paths: Collection[str]
) -> AccountOptions:
    """Return options with the named fields of a message.

    Raises:
        NotBuiltError: a field is named that nothing heeds yet.
    """
    for path in paths:
        if path in _UNBUILT:
            raise NotBuiltError(_UNBUILT[path])
    if "skills" in paths:
        options = replace(options, skills=given.skills)
    if "same_agent" in paths:
        same = given.same_agent if given.HasField("same_agent") else None
        options = replace(
            options,
            same_agent_hours=same.window_hours if same else None,
            same_agent_anchor=_ANCHORS[same.anchor] if same else "oldest",
            same_agent_tag=same.tag if same else "",
        )
    return options


def put_options(message: resources.AccountSettings, options: AccountOptions) -> resources.AccountSettings:
    """Set a message's fields; return it."""
    message.skills = options.skills
    if options.same_agent_hours is not None:
        newest = options.same_agent_anchor == "newest"
        message.same_agent.CopyFrom(
            resources.SameAgent(
                window_hours=options.same_agent_hours,
                anchor=resources.SameAgent.ANCHOR_NEWEST if newest else resources.SameAgent.ANCHOR_OLDEST,
                tag=options.same_agent_tag,
            )
        )
    return message
