"""Why a ticket waits, as sentences that tell what would free it (facts: §7.1)."""

from __future__ import annotations

from collections import Counter

from services.assignment.domain.eligibility import kind_of, relaxations
from services.assignment.domain.model import GIVEN, Code, Decision, Outcome, Snapshot

# What ends by itself comes first, then what a person can change; within each, in the order of the checks.
_SENTENCES: dict[Code, str] = {
    Code.INBOX_LIMIT: "{n} at the inbox limit: free when a ticket leaves status Open, or with a higher inbox limit",
    Code.CHANNEL_LIMIT: "{n} at the queue's limit of open tickets: free when one of these leaves status Open, or with a "
    "higher open limit of the queue",
    Code.CAPACITY: "{who} {has} too little capacity left for a ticket of this queue: free when open tickets are done, or "
    "with more capacity units",
    Code.DAILY_LIMIT: "{n} at the limit of tickets in 12 hours: free as the oldest of these become older, or with a "
    "higher daily limit",
    Code.QUEUE_DAILY_LIMIT: "{n} at the queue's limit of tickets in 12 hours: free as the oldest of these become "
    "older, or with a higher daily limit of the queue",
    Code.RATE_LIMIT: "{n} at the limit of tickets in a time: free as the oldest of these become older, or with a higher "
    "rate limit",
    Code.BATCH_SIZE: "{who} got as many tickets as one run gives: free in the next minute, or with a larger batch size",
    Code.SLOT_TAKEN: "{who} had to leave it for more valuable tickets of this round: free when they have room again",
    Code.OFF_SHIFT: "{n} off shift or on leave: free when their shift begins",
    Code.IDLE: "{n} set aside as idle: free when they set their status to online again",
    Code.OUT_OF_OFFICE: "{n} out of office: free when they set their status to online again",
    Code.STATUS_NOT_ONLINE: "{n} not online: free when they set their status to online",
    Code.DECLINED: "{who} declined or skipped it: asked again once everybody who could take it has declined, after five "
    "minutes",
    Code.MISSING_SKILL: "{n} without a skill that it needs: give them the skill in Zendesk, or make the skill optional",
    Code.SKILL_LEVEL: "{n} below the level of a skill that it needs: raise their level, or lower the one that is asked",
    Code.NOT_DEDICATED: "{n} not the agent whom it is dedicated to: change the dedicated rule to let others have it",
    Code.PROCESSING_RESTRICTED: "{n} kept out of routing by a restriction in the privacy service: lift it there",
    Code.NOT_IN_GROUP: "{n} not in the ticket's group: add them to it in Zendesk",
    Code.NOT_IN_ROTATION: "{n} not among the agents of the queue: add them to the queue",
    Code.APP_RESTRICTED: "{n} kept out by the app's own restriction of groups or roles in Zendesk: widen it there",
    Code.AGENT_SUSPENDED: "{n} suspended in Zendesk",
    Code.AGENT_LIGHT: "{n} light agents, who cannot have tickets",
    Code.AGENT_INACTIVE: "{n} gone from Zendesk",
}
_ORDER = list(_SENTENCES)
_INTERRUPTIBLE = (
    "{who} {has} too little capacity left for work that may be interrupted, beside all other work: free when open "
    "tickets are done, or with more capacity units"
)
_PRIMARY = (
    "{who} {has} too little capacity left for a ticket of this queue, without counting work that may be interrupted: "
    "free when other open tickets are done, or with more capacity units"
)
# What only an agent is told: a ticket that waits lost nobody.
_TO_AGENTS: dict[Code, str] = {
    Code.LOST_ROTATION: "others come before the agent by turn: his turn comes, sooner with a larger weight",
    Code.LOST_LOAD: "others have fewer open tickets: the agent gets the next one that he fits best for",
    Code.LOST_IDLE: "others wait longer for a ticket: the agent's turn comes",
    Code.LOST_QUALITY: "others fit better for what waits: the agent gets what is left, or with more skills",
    Code.CHOSEN: "the agent gets the next ticket, within a minute",
    Code.INBOX_LIMIT: "the agent is at the inbox limit: free when a ticket leaves status Open, or with a higher inbox limit",
    Code.AGENT_LIGHT: "the agent is a light agent, who cannot have tickets",
    Code.DECLINED: "the agent declined or skipped what waits: asked again once everybody who could take it has declined, "
    "after five minutes",
    Code.SLOT_TAKEN: "the agent's room goes to other tickets of this round: free when he has room again",
    Code.NOT_DEDICATED: "what waits is dedicated to other agents: change the dedicated rule to let him have it",
    Code.NOT_IN_GROUP: "the agent is not in the group of what waits: add him to it in Zendesk",
}


def sentences(decision: Decision, snapshot: Snapshot | None = None) -> list[str]:
    """Return why a ticket waits and what would free it, the most telling first.

    Args:
        snapshot: that it was decided from; tells which work counts towards a capacity.
    """
    if decision.outcome is Outcome.QUEUE_CLOSED:
        return ["the queue's schedule rests now: its tickets are given when it opens"]
    if decision.outcome is Outcome.QUEUE_PULL_ONLY:
        return ["the queue gives its tickets to agents who ask for the next one"]
    if decision.outcome in GIVEN:
        return [f"agent `{decision.agent}` can take it: it is given in the next round, within a minute"]
    if not decision.codes:
        return ["no agent is known: sync the account"]
    counts = Counter(decision.codes.values())
    found = [_sentence(code, counts[code], snapshot) for code in _ORDER if counts[code]]
    if decision.outcome is Outcome.WAITING_ALL_FULL:
        return ["everybody who may take it is full", *found]
    return ["nobody may take it now", *found]


def about_agent(code: Code) -> str:
    """Return what a code says of the one agent who has it, and what would change it."""
    if code in _TO_AGENTS:
        return _TO_AGENTS[code]
    return _SENTENCES[code].format(who="the agent", n="the agent is", has="has")


def about_skills(decision: Decision, snapshot: Snapshot) -> list[str]:
    """Return which skills nobody has at their level, and when the next one is not asked for any more."""
    ticket = next((t for t in snapshot.tickets if t.id == decision.ticket), None)
    if ticket is None or decision.outcome in GIVEN:
        return []
    held = [dict(agent.skills) for agent in snapshot.agents]
    found = [
        f"nobody has the skill `{skill}` at level {level}: give it to an agent in Zendesk, or make it optional"
        for skill, level in kind_of(ticket, snapshot.as_of).skills
        if not any(one.get(skill, 0) >= level for one in held)
    ]
    now = snapshot.as_of
    coming = [one for one in relaxations(ticket) if now is None or one[0] > now]
    return found + [
        f"from {at:%Y-%m-%d %H:%M:%S} UTC on the skill `{need.skill}` is "
        + ("not asked for" if level is None else f"enough at level {level}")
        for at, need, level in coming[:1]
    ]


def _capacity(snapshot: Snapshot | None) -> str:
    if snapshot is not None and snapshot.queue.interruptible:
        return _INTERRUPTIBLE
    if snapshot is not None and any(agent.interruptible for agent in snapshot.agents):
        return _PRIMARY
    return _SENTENCES[Code.CAPACITY]


def _sentence(code: Code, number: int, snapshot: Snapshot | None = None) -> str:
    who = "1 agent" if number == 1 else f"{number} agents"
    said = _capacity(snapshot) if code is Code.CAPACITY else _SENTENCES[code]
    return said.format(
        who=who, n=f"{who} {'is' if number == 1 else 'are'}", has="has" if number == 1 else "have"
    )
