"""Every route of the simulated Zendesk."""

from __future__ import annotations

from starlette.routing import Route

from tools.zendesk_simulator.resources import (
    apps,
    groups,
    incremental,
    jobs,
    oauth,
    tickets,
    triggers,
    users,
    views,
)

_MODULES = (oauth, apps, users, groups, tickets, views, triggers, incremental, jobs)
ROUTES: list[Route] = [route for module in _MODULES for route in module.ROUTES]
