"""Why a ticket went to whom it went, as sentences with the numbers (facts: §7.1)."""

from __future__ import annotations

from collections import Counter

from services.assignment.domain.model import AgentId, Code, Model, Snapshot
from services.assignment.domain.profiles import BY_LOAD
from services.assignment.domain.scores import Score, Scored, order

_RULES = {
    Model.ROUND_ROBIN: "the queue gives in turns",
    Model.WEIGHTED: "the queue gives in turns, in proportion to weights",
    Model.LEAST_ACTIVE: "the queue gives to whoever has the fewest open tickets",
    Model.SKILLS: "the queue gives to whoever fits best, then to whoever has the fewest open tickets",
    Model.LONGEST_IDLE: "the queue gives to whoever has had no ticket for the longest time",
}


def verdict(found: Scored, snapshot: Snapshot) -> list[str]:
    """Return the rule, the winner's score, and by how much who lost; nothing for a ticket that waits."""
    winner = found.decision.agent
    if winner is None or winner not in found.scores:
        return []
    codes = Counter(found.decision.codes.values())
    mine, model = found.scores[winner], snapshot.queue.model
    said = [_RULES[model]]
    if codes[Code.LOST_QUALITY]:
        said.append(_by_fit(found, winner))
    if found.runner_up is not None:
        said.append(_by_rule(model, winner, mine, found.runner_up, found.scores[found.runner_up]))
    if codes[Code.SLOT_TAKEN]:
        said.append(f"other tickets of this round take the room of {_agents(codes[Code.SLOT_TAKEN])}")
    if not codes[Code.LOST_QUALITY] and found.runner_up is None:
        said.append(f"agent `{winner}` is the only one who could have it")
    return said


def _by_fit(found: Scored, winner: AgentId) -> str:
    worse = [a for a, code in found.decision.codes.items() if code is Code.LOST_QUALITY]
    mine = found.scores[winner]
    next_best = max(worse, key=lambda a: (found.scores[a].fit, -a))
    others = f"{_agents(len(worse))} {'fits' if len(worse) == 1 else 'fit'}"
    if mine.fit <= found.scores[next_best].fit:
        return f"agent `{winner}` has it because the tickets of the round fit best that way; {others} worse on the whole"
    if mine.preferred:
        return f"agent `{winner}` is preferred, for he had the ticket before; {others} worse"
    return (
        f"agent `{winner}` holds {mine.wishes} of the skills that are wished for; {others} worse, the best of them, "
        f"agent `{next_best}`, with {found.scores[next_best].wishes}"
    )


def _by_rule(model: Model, winner: AgentId, mine: Score, loser: AgentId, his: Score) -> str:
    if model in BY_LOAD and mine.open != his.open:
        numbers = f"agent `{winner}` had {_tickets(mine.open)} open, the next, agent `{loser}`, {his.open}"
    elif model is Model.LONGEST_IDLE and (mine.before, mine.last) != (his.before, his.last):
        numbers = f"agent `{winner}` {_idle(mine)}; the next, agent `{loser}`, {_idle(his)}"
    elif mine.owed != his.owed:
        numbers = (
            f"agent `{winner}` was owed {mine.turns:.2f} turns, the next, agent `{loser}`, {his.turns:.2f}"
        )
    else:
        return f"agents `{winner}` and `{loser}` came out equal: the smaller number goes first"
    if order(model, mine) < order(model, his):
        return numbers
    if model is Model.WEIGHTED:
        return f"{numbers}: but by their weights the turn of agent `{winner}` was due first"
    return (
        f"{numbers}: but other tickets of this round need that agent, and the whole is the most even this way"
    )


def _agents(number: int) -> str:
    return "1 agent" if number == 1 else f"{number} agents"


def _tickets(number: int) -> str:
    return "1 ticket" if number == 1 else f"{number} tickets"


def _idle(score: Score) -> str:
    had = f"had {_tickets(score.before)} of this round before it and " if score.before else ""
    return f"{had}got none since {score.last:%Y-%m-%d %H:%M:%S} UTC" if score.last else f"{had}never got one"
