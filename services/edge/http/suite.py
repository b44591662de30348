"""The suite as the edge sees it: stubs, and calls in a person's or in the edge's own name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request

from libs.clients.channels import Channels
from libs.clients.context_tokens import AUTH, ContextTokens, Metadata, Person
from libs.kernel.clock import Clock
from libs.kernel.errors import UnauthenticatedError
from libs.kernel.ids import AccountId
from setlist.assignment.v1 import assignment_service_pb2 as assignment
from setlist.assignment.v1.assignment_service_pb2_grpc import AssignmentServiceStub
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from setlist.policy.v1 import policy_service_pb2 as policy
from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceStub
from setlist.privacy.v1 import privacy_service_pb2 as privacy
from setlist.privacy.v1.privacy_service_pb2_grpc import PrivacyServiceStub

if TYPE_CHECKING:
    from setlist.assignment.v1.assignment_service_pb2_grpc import AssignmentServiceAsyncStub
    from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceAsyncStub
    from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceAsyncStub
    from setlist.privacy.v1.privacy_service_pb2_grpc import PrivacyServiceAsyncStub

ASSIGNMENT = assignment.DESCRIPTOR.services_by_name["AssignmentService"]
POLICY = policy.DESCRIPTOR.services_by_name["PolicyService"]
PRIVACY = privacy.DESCRIPTOR.services_by_name["PrivacyService"]
SESSION_HEADER = "x-setlist-session"


@dataclass(frozen=True, slots=True)
class Acting:
    """One call in a person's name.

    Attributes:
        parent: `accounts/{account}`.
        metadata: carries the context token.
    """

    parent: str
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Suite:
    """Everything a route needs."""

    channels: Channels
    tokens: ContextTokens
    clock: Clock
    public_url: str

    @property
    def auth(self) -> AuthServiceAsyncStub:
        """The auth service."""
        return AuthServiceStub(self.channels.to("auth", [AUTH]))

    @property
    def assignment(self) -> AssignmentServiceAsyncStub:
        """The assignment service."""
        return AssignmentServiceStub(self.channels.to("assignment", [ASSIGNMENT]))

    @property
    def policy(self) -> PolicyServiceAsyncStub:
        """The policy service."""
        return PolicyServiceStub(self.channels.to("policy", [POLICY]))

    @property
    def privacy(self) -> PrivacyServiceAsyncStub:
        """The privacy service."""
        return PrivacyServiceStub(self.channels.to("privacy", [PRIVACY]))

    async def acting(self, request: Request, audience: str) -> Acting:
        """Return the call of the person behind a request: both credentials are needed, and must belong together.

        Raises:
            UnauthenticatedError: one is missing.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        session = request.headers.get(SESSION_HEADER, "")
        if scheme.lower() != "bearer" or not token or not session:
            raise UnauthenticatedError(f"an installation token and `{SESSION_HEADER}` are both needed")
        metadata, account = await self.tokens.person(Person(token, session), audience)
        return Acting(f"accounts/{account}", metadata)

    async def job(self, account: AccountId, audience: str) -> Acting:
        """Return a call in the edge's own name."""
        return Acting(f"accounts/{account}", await self.tokens.job(account, audience))


def suite_of(request: Request) -> Suite:
    """Return the suite of the running application."""
    suite: Suite = request.app.state.suite
    return suite
