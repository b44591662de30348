"""What AuthZEN's routes are set up with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from libs.rpc.pages import PageTokens
from services.edge.http.authzen_callers import EnforcementPoint

MAXIMUM_DEPTH = 32
"""Of a body's objects and arrays in each other."""


@dataclass(frozen=True, slots=True)
class AuthZen:
    """Made once, from settings (facts: policy, decision 11).

    Attributes:
        points: who may ask with a key.
        maximum_body_bytes: of one request.
        maximum_items: of one request's evaluations.
        maximum_page: results of one answer to a search; more is clamped.
        pages: seals page tokens.
    """

    points: Sequence[EnforcementPoint]
    maximum_body_bytes: int
    maximum_items: int
    maximum_page: int
    pages: PageTokens


def authzen_of(request: Request) -> AuthZen:
    """Return the setup of the running application."""
    setup: AuthZen = request.app.state.authzen
    return setup
