"""AuthZEN's metadata (facts: policy §5.5). The address is the one of the settings, never the Host header's."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.edge.http.authzen_errors import RefusedError
from services.edge.http.suite import suite_of

WELL_KNOWN = "/.well-known/authzen-configuration"
MAXIMUM_AGE_SECONDS = 300
ENDPOINTS = {
    "access_evaluation_endpoint": "/access/v1/evaluation",
    "access_evaluations_endpoint": "/access/v1/evaluations",
    "search_subject_endpoint": "/access/v1/search/subject",
    "search_resource_endpoint": "/access/v1/search/resource",
    "search_action_endpoint": "/access/v1/search/action",
}
_ACCOUNT = re.compile(r"/accounts/[0-9a-z-]{1,63}")


async def metadata(request: Request) -> Response:
    """Answer what this decision point offers, for the house or for one account's part of it.

    An identifier with a path is published under that path behind the well-known part. Whether an account
    exists is not told: its endpoints are, whoever asks.

    Raises:
        RefusedError: 404, no identifier of ours has the path; 405.
    """
    if request.method not in ("GET", "HEAD"):
        raise RefusedError(405, "send GET", allow="GET, HEAD")
    public = suite_of(request).public_url.rstrip("/")
    path = request.url.path.removeprefix(WELL_KNOWN)
    account = path.removeprefix(urlsplit(public).path)
    if not path.startswith(urlsplit(public).path) or (account and not _ACCOUNT.fullmatch(account)):
        raise RefusedError(404, "there is no such decision point")
    identifier = public + account
    document = {"policy_decision_point": identifier}
    document |= {name: identifier + endpoint for name, endpoint in ENDPOINTS.items()}
    return JSONResponse(document, headers={"cache-control": f"public, max-age={MAXIMUM_AGE_SECONDS}"})
