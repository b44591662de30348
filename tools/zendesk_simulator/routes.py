"""Every route of the simulated Zendesk."""

from __future__ import annotations

from starlette.routing import Route

from tools.zendesk_simulator.resources import (
    apps,
    groups,
    incremental,
    jobs,
    oauth,
    oauth_clients,
    oauth_tokens,
    proxy,
    tickets,
    triggers,
    users,
    views,
)

_MODULES = (
    oauth,
    oauth_tokens,
    oauth_clients,
    apps,
    proxy,
    users,
    groups,
    tickets,
    views,
    triggers,
    incremental,
    jobs,
)
ROUTES: list[Route] = [route for module in _MODULES for route in module.ROUTES]
