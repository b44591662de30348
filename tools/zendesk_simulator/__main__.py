"""`python -m tools.zendesk_simulator`: a local Zendesk on loopback."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import cyclopts

from libs.service.http import HttpPortTakenError, bind, serve_http
from tools.zendesk_simulator.clock import choose_clock
from tools.zendesk_simulator.limits import PLANS
from tools.zendesk_simulator.seed import seed_account
from tools.zendesk_simulator.server import build_app
from tools.zendesk_simulator.state import World

app = cyclopts.App(name="zendesk-simulator", help="A faithful local Zendesk for tests and demonstrations.")


@app.default
def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8090,
    seed: Annotated[Path | None, cyclopts.Parameter(help="JSON file that describes an account")] = None,
    subdomain: str = "acme",
    plan: str = "enterprise_plus",
) -> None:
    """Serve until stopped.

    Args:
        host: address to listen on.
        port: port to listen on.
        seed: description of an account; without it an empty account is made.
        subdomain: of the empty account.
        plan: rate limits: team, growth, professional, enterprise, enterprise_plus, high_volume, unlimited.
    """
    if plan not in PLANS:
        print(f"zendesk-simulator: unknown plan `{plan}`: choose one of {', '.join(PLANS)}", file=sys.stderr)
        raise SystemExit(2)
    world = World(choose_clock())
    if seed is None:
        world.add(subdomain, plan)
    else:
        try:
            seed_account(world, json.loads(seed.read_text()))
        except (OSError, ValueError, KeyError) as error:
            print(f"zendesk-simulator: `{seed}` cannot be used: {error}", file=sys.stderr)
            raise SystemExit(2) from None
    try:
        listener = bind(host, port)
    except HttpPortTakenError as error:
        print(f"zendesk-simulator: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    print(f"zendesk-simulator: http://{host}:{listener.getsockname()[1]}", flush=True)
    serve_http(build_app(world), listener)


if __name__ == "__main__":
    app()
