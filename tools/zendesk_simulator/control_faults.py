"""The control API's faults: list the modes, switch on, look, switch off."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tools.zendesk_simulator.fault_modes import MODES
from tools.zendesk_simulator.resources.oauth_tokens import revoke
from tools.zendesk_simulator.state import Account, World


class ControlFaults:
    """The handlers."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _account(self, request: Request) -> Account:
        return self._world.accounts[request.path_params["subdomain"]]

    async def modes(self, _: Request) -> Response:
        """List every mode with its options and their defaults."""
        return JSONResponse({"modes": [mode.shown() for mode in MODES.values()]})

    async def all(self, request: Request) -> Response:
        """List, switch one on (`{"mode": …, scope and options}`), or switch all off."""
        account = self._account(request)
        if request.method == "DELETE":
            account.faults.remove(None)
            account.stale.clear()
            return Response(status_code=204)
        if request.method == "POST":
            fault = account.faults.add(await request.json())
            if fault.mode == "revoke_tokens":  # it acts at once
                fault.fitted = fault.used = len(account.tokens)
                for token in list(account.tokens.values()):
                    revoke(account, token, refresh_too=bool(fault.options["refresh_too"]))
            return JSONResponse({"fault": fault.shown()}, 201)
        return JSONResponse({"faults": [fault.shown() for fault in account.faults]})

    async def one(self, request: Request) -> Response:
        """Show one with how often it has hit, or switch it off."""
        account, fault_id = self._account(request), request.path_params["id"]
        fault = next((f for f in account.faults if f.id == fault_id), None)
        if fault is None:
            raise KeyError(fault_id)
        if request.method == "DELETE":
            account.faults.remove(fault_id)
            return Response(status_code=204)
        return JSONResponse({"fault": fault.shown()})
