"""`python -m tools.zendesk_simulator`: a local Zendesk on loopback."""

from __future__ import annotations

import sys
from pathlib import Path

import cyclopts

from libs.service.http import HttpPortTakenError, bind, serve_http
from tools.zendesk_simulator.clock import choose_clock
from tools.zendesk_simulator.errors import Refusal
from tools.zendesk_simulator.event_log import replay
from tools.zendesk_simulator.limits import PLANS
from tools.zendesk_simulator.seed import read_seed, seed_account
from tools.zendesk_simulator.server import build_app
from tools.zendesk_simulator.snapshots import restore
from tools.zendesk_simulator.state import World

app = cyclopts.App(name="zendesk-simulator", help="A faithful local Zendesk for tests and demonstrations.")


@app.default
def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8090,
    seed: Path | None = None,
    events: Path | None = None,
    snapshot: Path | None = None,
    subdomain: str = "acme",
    plan: str = "enterprise_plus",
) -> None:
    """Serve until stopped.

    Args:
        host: address to listen on.
        port: port to listen on.
        seed: YAML or JSON file that describes an account, or a list of accounts; see `seed.py`.
        events: event log (JSON lines) that is played into the account; see `event_log.py`.
        snapshot: state to start from, as `GET /_control/snapshot` gave it; instead of seed and events.
        subdomain: of the empty account that is made without a seed, and of the one that events go to.
        plan: rate limits: team, growth, professional, enterprise, enterprise_plus, high_volume, unlimited.
    """
    if plan not in PLANS:
        print(f"zendesk-simulator: unknown plan `{plan}`: choose one of {', '.join(PLANS)}", file=sys.stderr)
        raise SystemExit(2)
    world = World(choose_clock())
    try:
        if snapshot is not None:
            restore(world, snapshot.read_bytes())
        else:
            for spec in read_seed(seed) if seed is not None else [{"subdomain": subdomain, "plan": plan}]:
                seed_account(world, spec)
            if events is not None:
                account = world.accounts.get(subdomain) or next(iter(world.accounts.values()))
                replay(account, events.read_text().splitlines())
    except (OSError, ValueError, TypeError, KeyError, StopIteration, Refusal) as error:
        print(f"zendesk-simulator: `{snapshot or seed or events}` cannot be used: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    try:
        listener = bind(host, port)
    except HttpPortTakenError as error:
        print(f"zendesk-simulator: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    listener.listen()  # from here on connections wait for the server: who reads the next line may connect
    print(f"zendesk-simulator: http://{host}:{listener.getsockname()[1]}", flush=True)
    serve_http(build_app(world), listener, date_header=False)


if __name__ == "__main__":
    app()
