"""What the RPCs call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from libs.kernel.clock import Clock
from libs.kernel.ids import IdSource
from libs.rpc.pages import PageTokens
from services.policy.app.check import Check
from services.policy.app.lint_policies import LintPolicies
from services.policy.app.list_everything_of import ListEverythingOf
from services.policy.app.list_relationships import ListRelationships
from services.policy.app.lookup_actions import LookupActions
from services.policy.app.lookup_resources import LookupResources
from services.policy.app.lookup_subjects import LookupSubjects
from services.policy.app.manage_types import ManageTypes
from services.policy.app.ports import Store
from services.policy.app.read_log import ReadLog
from services.policy.app.read_types import ReadTypes
from services.policy.app.sync_users import SyncUsers
from services.policy.app.write_relationships import WriteRelationships


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything the servicer calls."""

    types: ManageTypes
    read_types: ReadTypes
    lint: LintPolicies
    sync_users: SyncUsers
    write_relationships: WriteRelationships
    list_relationships: ListRelationships
    check: Check
    actions: LookupActions
    resources: LookupResources
    subjects: LookupSubjects
    everything: ListEverythingOf
    read_log: ReadLog
    pages: PageTokens
    clock: Clock
    ids: IdSource

    @classmethod
    def on(cls, store: Store, pages: PageTokens, clock: Clock, ids: IdSource) -> Self:
        """Make every use case over one store."""
        check = Check(store, clock, ids)
        return cls(
            types=ManageTypes(store, clock),
            read_types=ReadTypes(store),
            lint=LintPolicies(store),
            sync_users=SyncUsers(store),
            write_relationships=WriteRelationships(store, check),
            list_relationships=ListRelationships(store),
            check=check,
            actions=LookupActions(store, clock),
            resources=LookupResources(store, clock),
            subjects=LookupSubjects(store, clock),
            everything=ListEverythingOf(store, clock),
            read_log=ReadLog(store),
            pages=pages,
            clock=clock,
            ids=ids,
        )


class Methods:
    """A group of RPCs: translates, calls, translates."""

    def __init__(self, use: UseCases) -> None:
        self._use = use
