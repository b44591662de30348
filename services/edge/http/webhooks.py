"""Zendesk's webhooks: size, shape and age here; the signature where the secret is, in assignment."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.kernel.errors import NotFoundError
from libs.kernel.ids import AccountId
from services.edge.http.bodies import TooLargeError, read_bytes
from services.edge.http.errors import answers_problems, problem
from services.edge.http.suite import suite_of
from services.edge.http.webhook_headers import MAXIMUM_BODY_BYTES, read_webhook_headers
from setlist.assignment.v1 import assignment_service_pb2 as messages

_ACCOUNT = re.compile(r"[0-9a-z-]{1,63}")


@answers_problems
async def ingest(request: Request) -> Response:
    """Pass one webhook on; answers 200 once its facts are stored."""
    account = request.path_params["account"]
    if not _ACCOUNT.fullmatch(account):
        raise NotFoundError("no such account")
    suite = suite_of(request)
    headers = read_webhook_headers(request.headers, suite.clock.now())
    try:
        body = await read_bytes(request, MAXIMUM_BODY_BYTES)
    except TooLargeError:
        return problem(413, "INVALID_REQUEST", f"the body is larger than {MAXIMUM_BODY_BYTES} bytes")
    acting = await suite.job(AccountId(account), "assignment")
    taken = await suite.assignment.IngestWebhook(
        messages.IngestWebhookRequest(
            parent=acting.parent,
            body=body,
            signature=headers.signature,
            timestamp=headers.timestamp,
            webhook_id=headers.webhook_id,
            invocation_id=headers.invocation_id,
        ),
        metadata=acting.metadata,
        timeout=9.0,
    )
    return JSONResponse({"duplicate": taken.duplicate})


ROUTES = [Route("/zendesk/webhooks/{account}", ingest, methods=["POST"])]
