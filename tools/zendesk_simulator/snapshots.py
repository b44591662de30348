"""The whole state as one JSON document, and back.

Everything that an account holds is in it: rows, tokens, keys, jobs, faults, what waits for delivery. Webhooks that
are being sent at this moment are not. Values that JSON does not know are objects with one member `$kind`.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tools.zendesk_simulator.clock import OwnClock
from tools.zendesk_simulator.faults import Fault, Faults
from tools.zendesk_simulator.state import Account, App, Code, Job, Token, World

FORMAT = 1
_ROWS = {kind.__name__: kind for kind in (Token, Code, App, Job, Fault, Faults)}
_NOT_STATE = frozenset({"clock"})


def take(world: World) -> bytes:
    """Return the state of every account and the clock's time."""
    accounts = [
        {name: encoded(value) for name, value in vars(account).items() if name not in _NOT_STATE}
        for account in world.accounts.values()
    ]
    document = {"format": FORMAT, "now": world.clock.now().isoformat(), "accounts": accounts}
    return json.dumps(document, separators=(",", ":")).encode()


def restore(world: World, document: bytes) -> None:
    """Put a state back in place of the present one; the simulator's own clock goes back with it.

    Raises:
        ValueError: this is no snapshot of this format. Nothing has changed then.
    """
    try:
        read = json.loads(document)
        if read["format"] != FORMAT:
            raise ValueError(f"the snapshot has format `{read['format']}`: this simulator reads {FORMAT}")
        accounts = [_account(world, row) for row in read["accounts"]]
        now = datetime.fromisoformat(read["now"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no snapshot: {type(error).__name__} {error}") from None
    world.accounts.clear()
    world.accounts.update({account.subdomain: account for account in accounts})
    if isinstance(world.clock, OwnClock):
        world.clock.set(now)


def _account(world: World, row: Mapping[str, Any]) -> Account:
    values = {name: _decode(value) for name, value in row.items()}
    account = Account(values["subdomain"], world.clock, values["plan"], values["job_seconds"])
    for name, value in values.items():
        present = getattr(account, name)
        if isinstance(present, dict):  # keeps what makes missing members
            present.clear()
            present.update(value)
        elif isinstance(present, deque):
            present.extend(value)
        else:
            setattr(account, name, value)
    by_id = {token.id: token for token in account.tokens.values()}
    for refresh, token in account.by_refresh.items():  # a pair is one object in both tables
        account.by_refresh[refresh] = by_id.get(token.id, token)
    return account


def encoded(value: Any) -> Any:
    """Return a value as the document holds it; raises TypeError for what it cannot hold."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        if all(isinstance(k, str) and not k.startswith("$") for k in value):
            return {k: encoded(v) for k, v in value.items()}
        return {"$map": [[encoded(k), encoded(v)] for k, v in value.items()]}
    if isinstance(value, list | deque):
        return [encoded(v) for v in value]
    if isinstance(value, tuple):
        return {"$tuple": [encoded(v) for v in value]}
    if isinstance(value, set | frozenset):
        return {"$set": [encoded(v) for v in sorted(value)]}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, rsa.RSAPrivateKey):
        pem = value.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {"$key": pem.decode()}
    if type(value).__name__ in _ROWS:
        members = {f.name: encoded(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"$row": [type(value).__name__, members]}
    raise TypeError(f"a snapshot cannot hold a `{type(value).__name__}`")


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "$map": lambda pairs: {_decode(k): _decode(v) for k, v in pairs},
    "$tuple": lambda values: tuple(_decode(v) for v in values),
    "$set": lambda values: {_decode(v) for v in values},
    "$bytes": base64.b64decode,
    "$time": datetime.fromisoformat,
    "$key": lambda pem: load_pem_private_key(pem.encode(), None),
    "$row": lambda row: _row(row[0], row[1]),
}


def _row(kind: str, members: Mapping[str, Any]) -> Any:
    made = object.__new__(_ROWS[kind])
    for name, value in members.items():
        setattr(made, name, _decode(value))
    return made


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(v) for v in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (kind := next(iter(value))) in _KINDS:
        return _KINDS[kind](value[kind])
    return {k: _decode(v) for k, v in value.items()}
