"""Who may call what of policy."""

from libs.participant.servicer import METHODS as PARTICIPANT_METHODS
from libs.participant.servicer import SERVICE as PARTICIPANT
from libs.rpc.peers import PeerTable, rules
from services.policy.rpc.ext_authz import AUTHORIZATION, PEER
from setlist.policy.v1 import policy_service_pb2 as messages

POLICY = messages.DESCRIPTOR.services_by_name["PolicyService"]
_USERS = ("SyncUsers",)
_OTHERS = tuple(m.name for m in POLICY.methods if m.name not in _USERS)

PEERS: PeerTable = {
    **rules(POLICY, _OTHERS, "edge", "assignment", "privacy", "ops"),
    **rules(POLICY, _USERS, "assignment", "ops", users=False),
    # No context token of its own: whom it asks about is proven by the token of each request. `ops` is whoever
    # calls without TLS on this machine.
    **rules(AUTHORIZATION, ("Check",), PEER, "ops", context=False),
    **rules(PARTICIPANT, PARTICIPANT_METHODS, "privacy", users=False),
}
