"""Seeds an account from an event log: JSON lines, each event played at its own time.

A line is `{"at": "2026-01-05T09:00:00Z", KIND: {…}}`; kinds: `user`, `group`, `membership` and `create` take what the
API takes, `update` a ticket's `id` or `key` with new values, `delete` a ticket's `id` or `key`. `key` on a `create` is
a name of the log's own. Times, audits and the export stream become what they would have been; no trigger fires, as
Zendesk's import fires none. (The demo plays its logs through the whole suite instead: `tools/demo/event_log.py`.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from libs.kernel.clock import ManualClock
from tools.zendesk_simulator.errors import Refusal
from tools.zendesk_simulator.lifecycle import advance
from tools.zendesk_simulator.resources.groups import add_group, add_membership
from tools.zendesk_simulator.resources.ticket_trash import trash
from tools.zendesk_simulator.resources.tickets import create, find, update
from tools.zendesk_simulator.resources.users import add_user
from tools.zendesk_simulator.state import Account, Row


class EventLogError(ValueError):
    """A line cannot be played; the message names it."""


class _Replay:
    def __init__(self, account: Account) -> None:
        self._account = account
        self.keys: dict[str, int] = {}

    def _ticket(self, values: Row) -> Row:
        return find(self._account, self.keys.get(str(values.get("key")), values.get("id")))

    def create(self, values: Row) -> None:
        given = {k: v for k, v in values.items() if k != "key"}
        row, _ = create(self._account, given, given.get("requester_id"), quiet=True)
        if "key" in values:
            self.keys[str(values["key"])] = row["id"]

    def update(self, values: Row) -> None:
        given = {k: v for k, v in values.items() if k not in ("key", "id", "author_id")}
        update(self._account, self._ticket(values), given, values.get("author_id"))

    def delete(self, values: Row) -> None:
        trash(self._account, self._ticket(values), int(values["author_id"]))

    def user(self, values: Row) -> None:
        add_user(self._account, values)

    def group(self, values: Row) -> None:
        add_group(self._account, values)

    def membership(self, values: Row) -> None:
        add_membership(self._account, int(values["user_id"]), int(values["group_id"]))


def replay(account: Account, lines: Iterable[str]) -> dict[str, Any]:
    """Play a log and return `{"events": how many, "tickets": {key: id}}`.

    Raises:
        EventLogError: a line is no event, is earlier than the one before or later than now, or is refused.
    """
    player = _Replay(account)
    kinds: dict[str, Callable[[Row], None]] = {
        name: getattr(player, name) for name in ("create", "update", "delete", "user", "group", "membership")
    }
    own, end, waiting = account.clock, account.clock.now(), list(account.outbox)
    clock, last, count = ManualClock(), None, 0
    try:
        account.clock = clock
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            at, kind, values = _read(number, line)
            if kind not in kinds:
                raise EventLogError(f"line {number}: `{kind}` is no kind of event")
            if (last is not None and at < last) or at > end:
                raise EventLogError(f"line {number}: `{at.isoformat()}` is out of order or later than now")
            clock.set(at)
            advance(account)
            try:
                kinds[kind](values)
            except Refusal as refusal:
                raise EventLogError(f"line {number}: {json.dumps(refusal.body)}") from None
            except (KeyError, TypeError, ValueError) as error:
                raise EventLogError(f"line {number}: {type(error).__name__} {error}") from None
            last, count = at, count + 1
    finally:
        account.clock = own
        account.outbox[:] = waiting
    return {"events": count, "tickets": player.keys}


def _read(number: int, line: str) -> tuple[datetime, str, Row]:
    try:
        event = json.loads(line)
        at = datetime.fromisoformat(event.pop("at"))
        ((kind, values),) = event.items()
    except (ValueError, KeyError, AttributeError, TypeError):
        raise EventLogError(f"line {number}: an event is `at` and one kind with its values") from None
    if at.tzinfo is None or not isinstance(values, dict):
        raise EventLogError(f"line {number}: `at` needs a time zone, and the kind an object")
    return at, kind, values
