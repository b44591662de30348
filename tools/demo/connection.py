"""What another program needs to go on with a running house."""

from __future__ import annotations

from typing import Any

import httpx2

from tools.demo.account import SUBDOMAIN, Cast
from tools.demo.house import SERVICES, House
from tools.demo.people import Helpdesk
from tools.demo.suite import Suite


async def connection(house: House, suite: Suite, desk: Helpdesk, cast: Cast) -> dict[str, Any]:
    """Return addresses, TLS files, the installation token and a fresh session of each kind of person.

    The certificate is that of `ops`, which may call every service. The sessions live for an hour without
    use, twelve at most.
    """
    async with httpx2.AsyncClient(trust_env=False, timeout=30.0) as http:
        dump = await house.control(http, "GET", f"{SUBDOMAIN}/dump")
    rows = dump["installations"] if isinstance(dump["installations"], list) else []
    token = next(row["settings"]["token"] for row in rows if row["id"] == desk.installation)
    people = {"admin": cast.admin, "agent": cast.agent, "manager": cast.manager}
    sessions = {
        name: {"user_id": user, "token": (await desk.person(user).open_app())["token"]}
        for name, user in people.items()
    }
    return {
        "account": suite.parent,
        "subdomain": SUBDOMAIN,
        "services": {name: house.address(name) for name in SERVICES},
        "edge": house.edge,
        "simulator": house.simulator,
        "zendesk": desk.zendesk,
        "installation_id": desk.installation,
        "ca_file": str(house.tls.ca),
        "client_certificate_file": str(house.tls.cert),
        "client_key_file": str(house.tls.key),
        "installation_token": token,
        "sessions": sessions,
    }
