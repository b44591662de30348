"""Starts assignment: `python -m services.assignment.main`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc

from libs.clients.zendesk_access import ZendeskClients
from libs.crypto.default_key import key_provider
from libs.crypto.envelope import Envelope
from libs.db.data_keys import SqlDataKeys
from libs.db.notify import Listener
from libs.db.replicas import Replicas
from libs.kernel.ids import RandomIds
from libs.participant.servicer import SERVICE as PARTICIPANT
from libs.participant.servicer import ParticipantServicer
from libs.participant.sql import SqlSubjects
from libs.service.definition import Parts, ServiceDefinition, Wiring
from libs.service.run import run_service
from libs.zendesk.sql_windows import SqlWindows
from services.assignment.adapters.privacy import PrivacyClient
from services.assignment.adapters.sql.decisions import DECISIONS_CHANNEL, ROUNDS_CHANNEL
from services.assignment.adapters.sql.statuses import STATUSES_CHANNEL
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.adapters.sql.subjects import PLACES
from services.assignment.adapters.suite import AuthInstallations, PolicyClient
from services.assignment.app.absences import Absences
from services.assignment.app.answer_offer import AnswerOffer, ExpireOffers
from services.assignment.app.assign_next import AssignNext
from services.assignment.app.background import MinuteTicker, OfferSweeper, Writer
from services.assignment.app.count_usage import GetUsage
from services.assignment.app.data_map import DATA_MAP
from services.assignment.app.drain import Drain
from services.assignment.app.explain import Explain
from services.assignment.app.give_back import ReleaseAgentTickets, SkipTicket
from services.assignment.app.ingest_webhook import IngestWebhook
from services.assignment.app.manage_queues import ManageQueues
from services.assignment.app.prefer import Prefer
from services.assignment.app.rehearsal import Rehearse
from services.assignment.app.restricted import Restricted
from services.assignment.app.returned import ReturnedTickets
from services.assignment.app.route import Route
from services.assignment.app.run_minute_job import RunMinuteJob
from services.assignment.app.schedules import SyncSchedules
from services.assignment.app.shift_exceptions import ShiftExceptions
from services.assignment.app.sync_account import SyncAccount
from services.assignment.app.sync_skills import SyncSkills
from services.assignment.app.update_agent_settings import UpdateAgentSettings
from services.assignment.app.watch import Bell, Watch
from services.assignment.app.why_idle import WhyIdle
from services.assignment.app.write_outbox import WriteOutbox
from services.assignment.rpc.peers import ASSIGNMENT, PEERS
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.rpc.use_cases import UseCases
from services.assignment.settings import AssignmentSettings
from setlist.assignment.v1.assignment_service_pb2_grpc import add_AssignmentServiceServicer_to_server
from setlist.privacy.v1.participant_service_pb2_grpc import add_ParticipantServiceServicer_to_server


async def build(parts: Parts[AssignmentSettings]) -> Wiring:
    """Wire assignment."""
    settings, clock, database = parts.settings, parts.clock, parts.database
    ids, wake = RandomIds(clock), asyncio.Event()
    provider = key_provider(
        "ASSIGNMENT_KEY_ENCRYPTION_KEY",
        settings.key_encryption_key is not None,
        settings.key_encryption_key_file,
        lambda: settings.state_folder("assignment"),
    )
    sealer = Envelope(provider, SqlDataKeys(database))
    store = SqlStore(database)
    windows = SqlWindows(database, clock)
    zendesk = ZendeskClients(
        parts.channels, settings.zendesk_url_template, clock, windows, settings.zendesk_budget_share
    )
    policy = PolicyClient(parts.channels, parts.tokens)
    restricted = Restricted(store, PrivacyClient(parts.channels, parts.tokens), clock)
    route, write = Route(store, ids, restricted), WriteOutbox(store, zendesk)
    me = ids.new("rep")
    replicas = Replicas(database, "assignment", me, lambda: drain.hear(""))
    drain = Drain(store, route, clock, ids, wake, replicas.owns)
    absences = Absences(store, clock, ids, wake)
    prefer = Prefer(store, zendesk, route, restricted, clock, ids, wake)
    release = ReleaseAgentTickets(store, clock, ids, wake)
    returned = ReturnedTickets(store, zendesk, release, clock, wake)
    skills, schedules = SyncSkills(store, zendesk, clock), SyncSchedules(store, zendesk, clock)
    kept = timedelta(days=settings.inputs_days), timedelta(days=settings.status_days)
    job = RunMinuteJob(
        store, zendesk, route, prefer, absences, returned, skills, schedules, write, clock, *kept
    )
    bell = Bell()
    use = UseCases(
        sync=SyncAccount(
            store, zendesk, AuthInstallations(parts.channels), policy, sealer, skills, schedules, clock, ids
        ),
        ingest=IngestWebhook(store, sealer, drain, prefer, clock, wake),
        minute_job=job,
        next=AssignNext(store, route, write, clock, ids),
        absences=absences,
        answer=AnswerOffer(store, route, clock, wake),
        skip=SkipTicket(store, zendesk, route, release, clock, wake),
        release=release,
        watch=Watch(store, bell),
        settings=UpdateAgentSettings(store, zendesk, policy),
        exceptions=ShiftExceptions(store, policy),
        queues=ManageQueues(store, clock),
        explain=Explain(store, route, clock),
        why_idle=WhyIdle(store, route, clock),
        rehearse=Rehearse(store, restricted, clock, ids),
        usage=GetUsage(store, clock),
        store=store,
        pages=parts.pages,
        clock=clock,
        ids=ids,
    )
    participant = ParticipantServicer(DATA_MAP, SqlSubjects(database, PLACES, DATA_MAP))

    def add(server: grpc.aio.Server) -> None:
        add_AssignmentServiceServicer_to_server(AssignmentServicer(use), server)
        add_ParticipantServiceServicer_to_server(participant, server)

    background = [
        ("writer", Writer(store, write, wake).run),
        ("offers", OfferSweeper(store, ExpireOffers(store, route, absences, clock), clock).run),
        ("replicas", replicas.run),
        ("drain", drain.run),
        ("due rounds", Listener(database.url, ROUNDS_CHANNEL, drain.hear).listen),
        ("decisions", Listener(database.url, DECISIONS_CHANNEL, bell.ring).listen),
        ("statuses", Listener(database.url, STATUSES_CHANNEL, bell.ring).listen),
    ]
    if settings.minute_job:
        # Of those that tick: the job of an account must not belong to a replica that has no ticker.
        tickers = Replicas(database, "assignment.minute", me)
        background += [
            ("tickers", tickers.run),
            ("minute job", MinuteTicker(store, database, job, tickers, drain).run),
        ]
    return Wiring(add, [ASSIGNMENT, PARTICIPANT], background=background, close=zendesk.close)


DEFINITION = ServiceDefinition(
    name="assignment",
    settings_type=AssignmentSettings,
    migrations="services.assignment.migrations",
    minimum_revision="0025",
    peers=PEERS,
    build=build,
)


def main() -> None:
    """Serve until told to stop."""
    run_service(DEFINITION)


if __name__ == "__main__":
    main()
