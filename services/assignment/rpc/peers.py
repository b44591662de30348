"""Who may call what of assignment."""

from libs.participant.servicer import METHODS as PARTICIPANT_METHODS
from libs.participant.servicer import SERVICE as PARTICIPANT
from libs.rpc.peers import PeerTable, rules
from setlist.assignment.v1 import assignment_service_pb2 as messages

ASSIGNMENT = messages.DESCRIPTOR.services_by_name["AssignmentService"]
_JOBS = ("SyncAccount", "IngestWebhook", "RunMinuteJob")
_PEOPLE = tuple(m.name for m in ASSIGNMENT.methods if m.name not in _JOBS)

PEERS: PeerTable = {
    **rules(ASSIGNMENT, _PEOPLE, "edge", "ops"),
    **rules(ASSIGNMENT, _JOBS, "edge", "ops", users=False),
    **rules(PARTICIPANT, PARTICIPANT_METHODS, "privacy", users=False),
}
