"""Who may call what of auth. By peer alone: auth mints context tokens and takes none."""

from libs.participant.servicer import METHODS as PARTICIPANT_METHODS
from libs.participant.servicer import SERVICE as PARTICIPANT
from libs.rpc.peers import PeerTable, rules
from setlist.auth.v1 import auth_service_pb2 as messages

AUTH = messages.DESCRIPTOR.services_by_name["AuthService"]
_SUITE = ("edge", "policy", "assignment", "privacy", "ops")

PEERS: PeerTable = {
    **rules(AUTH, ["OpenSession"], "edge", "ops", context=False),
    **rules(
        AUTH, ["BeginAuthorization", "StartAuthorization", "CompleteAuthorization"], "edge", context=False
    ),
    **rules(
        AUTH, ["VerifyToken", "ExchangeContext", "GetKeySet", "WatchRevocations"], *_SUITE, context=False
    ),
    **rules(AUTH, ["GetZendeskAccess"], "assignment", "privacy", context=False),
    **rules(AUTH, ["GetInstallation", "ListInstallations"], *_SUITE, context=False),
    **rules(AUTH, ["RevokeInstallation"], "edge", "privacy", "ops", context=False),
    **rules(AUTH, ["RevokeSession", "RevokeToken"], "edge", "ops", context=False),
    **rules(AUTH, ["RotateSigningKey", "RevokeSigningKey", "RotateDataKeys"], "ops", context=False),
    **rules(AUTH, ["ShredAccount"], "privacy", "ops", context=False),
    **rules(AUTH, ["ListAuditEvents"], "ops", context=False),
    **rules(PARTICIPANT, PARTICIPANT_METHODS, "privacy", context=False),
}
