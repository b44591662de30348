"""What the RPCs call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from google.protobuf.message import Message

from libs.decision.rows import RelationshipRow
from libs.kernel.clock import Clock
from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.ids import AccountId, IdSource
from libs.rpc.identity import current_caller
from libs.rpc.pages import PageTokens
from services.policy.app.asked import PRESENT, Asked, Freshness
from services.policy.app.basis import Bases
from services.policy.app.check import Check
from services.policy.app.decision_log import DecisionLog
from services.policy.app.engine import Engine, Limits, NotingStore
from services.policy.app.lint_policies import LintPolicies
from services.policy.app.list_everything_of import ListEverythingOf
from services.policy.app.list_relationships import ListRelationships
from services.policy.app.lookup_actions import LookupActions
from services.policy.app.lookup_resources import LookupResources
from services.policy.app.lookup_subjects import LookupSubjects
from services.policy.app.manage_objects import ManageObjects
from services.policy.app.manage_settings import ManageSettings
from services.policy.app.manage_types import ManageTypes
from services.policy.app.ports import Store
from services.policy.app.read_log import ReadLog
from services.policy.app.read_types import ReadTypes
from services.policy.app.repeats import Repeat
from services.policy.app.simulate_change import SimulateChange
from services.policy.app.sweep import Sweep
from services.policy.app.sync_users import SyncUsers
from services.policy.app.tokens import ConsistencyTokens
from services.policy.app.transfer import ExportRelationships, ImportRelationships
from services.policy.app.watch import Watch
from services.policy.app.write_relationships import WriteRelationships
from services.policy.rpc.callers import acting, require_targets, trace_id
from services.policy.rpc.mapping import instant
from setlist.policy.v1 import policy_service_pb2 as messages


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything the servicer calls."""

    types: ManageTypes
    read_types: ReadTypes
    lint: LintPolicies
    settings: ManageSettings
    objects: ManageObjects
    sync_users: SyncUsers
    write_relationships: WriteRelationships
    list_relationships: ListRelationships
    importing: ImportRelationships
    exporting: ExportRelationships
    check: Check
    actions: LookupActions
    resources: LookupResources
    subjects: LookupSubjects
    everything: ListEverythingOf
    simulate: SimulateChange
    watch: Watch
    read_log: ReadLog
    engine: Engine
    log: DecisionLog
    sweep: Sweep
    pages: PageTokens
    tokens: ConsistencyTokens
    clock: Clock
    ids: IdSource

    @classmethod
    def on(
        cls,
        store: Store,
        pages: PageTokens,
        clock: Clock,
        ids: IdSource,
        tokens: ConsistencyTokens | None = None,
        limits: Limits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Make every use case over one store."""
        limits = limits or Limits()
        engine = Engine(store, limits, monotonic)
        store = NotingStore(store, engine)
        bases, log = Bases(store, engine, clock), DecisionLog(store)
        check = Check(bases, log, clock, ids)
        return cls(
            types=ManageTypes(store, clock),
            read_types=ReadTypes(store),
            lint=LintPolicies(store),
            settings=ManageSettings(store, clock),
            objects=ManageObjects(store, bases, clock),
            sync_users=SyncUsers(store, clock),
            write_relationships=WriteRelationships(store, check, clock),
            list_relationships=ListRelationships(store),
            importing=ImportRelationships(store, clock),
            exporting=ExportRelationships(store),
            check=check,
            actions=LookupActions(bases),
            resources=LookupResources(bases),
            subjects=LookupSubjects(bases),
            everything=ListEverythingOf(bases),
            simulate=SimulateChange(bases, limits.account),
            watch=Watch(store, engine, clock),
            read_log=ReadLog(store, log),
            engine=engine,
            log=log,
            sweep=Sweep(store, clock),
            pages=pages,
            tokens=tokens or ConsistencyTokens(),
            clock=clock,
            ids=ids,
        )


def repeat_of(request: Message) -> Repeat:
    """Return what tells a command that comes again from another one."""
    plain = type(request)()
    plain.CopyFrom(request)
    plain.ClearField("request_id")
    body = plain.SerializeToString(deterministic=True)
    return Repeat(request.DESCRIPTOR.full_name, getattr(request, "request_id", ""), body)


def of_page(position: Mapping[str, Any], freshness: Freshness) -> Freshness:
    """Return how fresh a page must be: a later one is of the revision of the first."""
    if "revision" not in position:
        return freshness
    return Freshness(exact=int(position["revision"]), now=float(position["now"]))


class Methods:
    """A group of RPCs: translates, calls, translates."""

    def __init__(self, use: UseCases) -> None:
        self._use = use

    def _token(self, account: AccountId, revision: int) -> str:
        return self._use.tokens.token(account, revision)

    def _freshness(self, account: AccountId, given: messages.Consistency) -> Freshness:
        """Return how fresh an answer must be.

        Raises:
            InvalidRequestError: a token that is none, or more than one wish at once.
        """
        if not given.ListFields():
            return PRESENT
        at_least = self._use.tokens.revision(account, given.at_least) if given.at_least else 0
        wishes = [bool(at_least), given.fully, bool(given.exact_revision), given.HasField("exact_time")]
        if sum(wishes) > 1:
            fault = FieldViolation("consistency", "asks for more than one kind of freshness")
            raise InvalidRequestError(f"`consistency` {fault.description}", violations=[fault])
        time = instant(given.exact_time, "consistency.exact_time") if wishes[3] else None
        return Freshness(at_least, given.fully, given.exact_revision or None, time)

    def _asked(
        self, account: AccountId, given: messages.Consistency, position: Mapping[str, Any] | None = None
    ) -> Asked:
        """Return who asks, and how fresh the answer must be."""
        freshness = of_page(position or {}, self._freshness(account, given))
        return Asked(acting(), freshness, current_caller().peer, trace_id())

    def _rows(self, given: Sequence[messages.NewRelationship], name: str) -> list[RelationshipRow]:
        """Return new relationship records.

        Args:
            name: of their field, `{}` where the place stands.

        Raises:
            InvalidRequestError: one of them can be none.
        """
        require_targets(given, name)
        now = self._use.clock.now()
        return [
            RelationshipRow(
                self._use.ids.new("rel"),
                r.type,
                r.source,
                r.target,
                now,
                instant(r.expire_time, f"{name.format(place)}.expire_time")
                if r.HasField("expire_time")
                else None,
            )
            for place, r in enumerate(given)
        ]
