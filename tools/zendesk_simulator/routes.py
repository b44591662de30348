"""Every route of the simulated Zendesk."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tools.zendesk_simulator.errors import wrong_type
from tools.zendesk_simulator.resources import (
    apps,
    custom_objects,
    custom_roles,
    custom_statuses,
    deletion_schedules,
    field_options,
    fields,
    groups,
    identities,
    incremental,
    jobs,
    memberships,
    oauth,
    oauth_clients,
    oauth_tokens,
    organization_memberships,
    organizations,
    proxy,
    routing,
    routing_values,
    rule_definitions,
    schedules,
    search,
    skips,
    sla_routes,
    sunshine,
    sunshine_relations,
    tags,
    targets,
    ticket_bulk,
    ticket_comments,
    ticket_metrics,
    ticket_more,
    ticket_routes,
    ticket_trash,
    triggers,
    uploads,
    user_bulk,
    user_deletion,
    user_routes,
    view_results,
    views,
    webhooks,
)

_MODULES = (
    ticket_routes,
    ticket_bulk,
    ticket_comments,
    ticket_trash,
    ticket_more,
    ticket_metrics,
    uploads,
    incremental,
    sla_routes,
    view_results,
    views,
    jobs,
    user_routes,
    user_bulk,
    user_deletion,
    identities,
    groups,
    memberships,
    tags,
    skips,
    search,
    fields,
    field_options,
    custom_roles,
    custom_statuses,
    organizations,
    organization_memberships,
    triggers,
    rule_definitions,
    webhooks,
    targets,
    routing,
    routing_values,
    schedules,
    deletion_schedules,
    custom_objects,
    sunshine,
    sunshine_relations,
    oauth,
    oauth_tokens,
    oauth_clients,
    apps,
    proxy,
)
ROUTES: list[Route] = [route for module in _MODULES for route in module.ROUTES]

_BY_ID = {r.path.split("/")[3] for r in ROUTES if r.path.startswith("/api/v2/") and r.path.count("{") == 1}


async def unknown(request: Request, _: Exception) -> Response:
    """Answer where there is no endpoint; an id that is no number is told apart from it."""
    words = request.scope["path"].strip("/").split("/")
    if len(words) == 4 and words[2] in _BY_ID and words[:2] == ["api", "v2"]:
        verb = {"PUT": "update", "DELETE": "destroy"}.get(request.method, "show")
        refusal = wrong_type("id", "an integer", f"api/v2/{words[2]}/{verb}")
        return JSONResponse(refusal.body, refusal.status)
    return JSONResponse({"error": "InvalidEndpoint", "description": "Not found"}, 404)
