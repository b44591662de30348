"""Who may call what of privacy. Its engine calls the others; they only ask what they may do with a person."""

from libs.rpc.peers import PeerTable, rules
from setlist.privacy.v1 import privacy_service_pb2 as messages

PRIVACY = messages.DESCRIPTOR.services_by_name["PrivacyService"]
_ASKED_BY_SERVICES = ("CheckProcessing",)
_OTHERS = tuple(m.name for m in PRIVACY.methods if m.name not in _ASKED_BY_SERVICES)

PEERS: PeerTable = {
    **rules(PRIVACY, _OTHERS, "edge", "ops"),
    **rules(PRIVACY, _ASKED_BY_SERVICES, "edge", "ops", "assignment", "policy"),
}
