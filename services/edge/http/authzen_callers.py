"""Who asks over AuthZEN: an enforcement point with a key of its own, or a person (facts: policy §5.1, §5.6).

An installation token alone is no credential here: Zendesk's proxy adds it to what any agent's browser sends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from libs.clients.context_tokens import Metadata
from libs.kernel.errors import PermissionDeniedError, UnauthenticatedError
from libs.kernel.ids import AccountId
from services.edge.http.entries import by_key, key_hash_of, read_entries
from services.edge.http.suite import SESSION_HEADER, suite_of

_NAME = re.compile(r"[0-9a-z-]{1,63}")
_MEMBERS = {"name", "account", "key_sha256", "trusted"}


@dataclass(frozen=True, slots=True)
class EnforcementPoint:
    """A program that may ask about anybody in one account.

    Attributes:
        name: for operators.
        account: the only one that it may ask about.
        key_hash: SHA-256 of its key; a key is 32 random bytes, which no salt makes stronger.
        trusted: whether the role that it sends in `subject.properties` counts.
    """

    name: str
    account: AccountId
    key_hash: bytes
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Asker:
    """Whoever asks, proven.

    Attributes:
        parent: `accounts/{account}`.
        metadata: of calls to policy.
        trusted: as of an enforcement point; persons never are.
    """

    parent: str
    metadata: Metadata
    trusted: bool


def read_enforcement_points(path: Path | None) -> list[EnforcementPoint]:
    """Return the enforcement points of a file: a JSON array of `{name, account, key_sha256, trusted?}`.

    Raises:
        ValueError: it cannot be read; the message names the entry, never a hash.
    """
    found = read_entries(path, _point)
    if len({point.key_hash for point in found}) != len(found):
        raise ValueError(f"`{path}`: two entries have the same key")
    return found


def _point(entry: object, where: str) -> EnforcementPoint:
    if not isinstance(entry, dict) or not {"name", "account", "key_sha256"} <= set(entry) <= _MEMBERS:
        raise ValueError(f"{where}: is no object with name, account, key_sha256 and perhaps trusted")
    for member in ("name", "account"):
        if not isinstance(entry[member], str) or not _NAME.fullmatch(entry[member]):
            raise ValueError(f"{where}: {member} must match {_NAME.pattern}")
    key_hash = key_hash_of(entry["key_sha256"], where)
    if not isinstance(entry.get("trusted", False), bool):
        raise ValueError(f"{where}: trusted must be true or false")
    return EnforcementPoint(entry["name"], AccountId(entry["account"]), key_hash, entry.get("trusted", False))


async def asker_of(request: Request, points: Sequence[EnforcementPoint]) -> Asker:
    """Return who asks.

    Raises:
        UnauthenticatedError: nobody who is known.
        PermissionDeniedError: the path names another account.
        grpc.aio.AioRpcError: auth refuses a person's credentials, or does not answer.
    """
    suite = suite_of(request)
    if SESSION_HEADER in request.headers:
        acting = await suite.acting(request, "policy")
        asker = Asker(acting.parent, acting.metadata, False)
    else:
        point = _known(request, points)
        acting = await suite.job(point.account, "policy")
        asker = Asker(acting.parent, acting.metadata, point.trusted)
    named = request.path_params.get("account")
    if named is not None and asker.parent != f"accounts/{named}":
        raise PermissionDeniedError("these credentials are of another account")
    return asker


def _known(request: Request, points: Sequence[EnforcementPoint]) -> EnforcementPoint:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise UnauthenticatedError("a bearer key is needed")
    found = by_key(points, key)
    if found is None:
        raise UnauthenticatedError("the key is not known")
    return found
