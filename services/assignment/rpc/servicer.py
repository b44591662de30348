"""AssignmentService over gRPC, by subject."""

from __future__ import annotations

from services.assignment.rpc.agents import AgentMethods
from services.assignment.rpc.evidence import EvidenceMethods
from services.assignment.rpc.idle import IdleMethods
from services.assignment.rpc.jobs import JobMethods
from services.assignment.rpc.offers import OfferMethods
from services.assignment.rpc.preferences import PreferenceMethods
from services.assignment.rpc.queues import QueueMethods
from services.assignment.rpc.replays import ReplayMethods
from services.assignment.rpc.shifts import ShiftMethods
from services.assignment.rpc.simulations import SimulationMethods
from services.assignment.rpc.skills import SkillMethods
from services.assignment.rpc.statuses import StatusMethods
from services.assignment.rpc.usage import UsageMethods
from setlist.assignment.v1.assignment_service_pb2_grpc import AssignmentServiceServicer


class AssignmentServicer(
    JobMethods,
    AgentMethods,
    QueueMethods,
    EvidenceMethods,
    OfferMethods,
    PreferenceMethods,
    SkillMethods,
    StatusMethods,
    ShiftMethods,
    ReplayMethods,
    SimulationMethods,
    IdleMethods,
    UsageMethods,
    AssignmentServiceServicer,
):
    """Translates, calls, translates."""
