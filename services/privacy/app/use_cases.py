"""Everything privacy does, wired over its ports: once for the process, once for the tests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from libs.kernel.clock import Clock
from libs.kernel.ids import IdSource
from services.privacy.app.approve_request import ApproveRequest
from services.privacy.app.create_request import CreateRequest
from services.privacy.app.execute import Execute
from services.privacy.app.extend_request import ExtendRequest
from services.privacy.app.issue_certificate import IssueCertificate
from services.privacy.app.legal_holds import LegalHolds
from services.privacy.app.make_plan import MakePlan
from services.privacy.app.participant_steps import ParticipantSteps
from services.privacy.app.people import People
from services.privacy.app.plan_step import PlanStep
from services.privacy.app.ports import Participants, Store, Vault, Zendesk
from services.privacy.app.read_requests import ReadRequests
from services.privacy.app.restrictions import Restrictions
from services.privacy.app.retry_request import RetryRequest
from services.privacy.app.run_step import RunStep
from services.privacy.app.verify_chain import VerifyChain
from services.privacy.app.withdraw import Withdraw
from services.privacy.app.work import Intents
from services.privacy.app.zendesk_steps import ZendeskSteps


@dataclass(frozen=True, slots=True)
class UseCases:
    """The use cases, one member each."""

    create: CreateRequest
    approve: ApproveRequest
    withdraw: Withdraw
    extend: ExtendRequest
    retry: RetryRequest
    read: ReadRequests
    execute: Execute
    verify_chain: VerifyChain
    holds: LegalHolds
    restrictions: Restrictions


def wire(
    store: Store,
    vault: Vault,
    participants: Participants,
    zendesk: Zendesk,
    clock: Clock,
    ids: IdSource,
    wake: asyncio.Event,
    quiet_seconds: float = 0.0,
) -> UseCases:
    """Return the use cases over the given ports.

    Args:
        wake: set when a request becomes due.
        quiet_seconds: see `ZendeskSteps`.
    """
    people = People(vault)
    make_plan = MakePlan(participants, zendesk, people)
    intend = Intents(store, people, clock)
    run_step = RunStep(
        store,
        vault,
        PlanStep(make_plan, vault, clock),
        ZendeskSteps(store, zendesk, intend, clock, quiet_seconds),
        ParticipantSteps(participants, intend),
        IssueCertificate(store, vault, clock),
        clock,
    )
    return UseCases(
        create=CreateRequest(store, vault, people, make_plan, run_step, clock, ids, wake),
        approve=ApproveRequest(store, vault, people, make_plan, clock, wake),
        withdraw=Withdraw(store, vault, people, clock),
        extend=ExtendRequest(store, people, clock),
        retry=RetryRequest(store, people, clock, wake),
        read=ReadRequests(store),
        execute=Execute(store, run_step),
        verify_chain=VerifyChain(store),
        holds=LegalHolds(store, people, clock, ids, wake),
        restrictions=Restrictions(store, people, clock),
    )
