"""Who may do what in an account: people's requests are for admins; a service acts as the peer table allows."""

from __future__ import annotations

from libs.kernel.errors import PermissionDeniedError
from libs.rpc.identity import Caller, current_caller


def require_admin() -> Caller:
    """Return the caller: an admin or a service."""
    caller = current_caller()
    if caller.user is not None and not caller.is_admin:
        raise PermissionDeniedError("only admins may handle requests of people about their data")
    return caller


def require_staff() -> Caller:
    """Return the caller: an agent, an admin or a service; never an end user."""
    caller = current_caller()
    if caller.user is not None and caller.role not in ("agent", "admin"):
        raise PermissionDeniedError("only agents and admins may ask this")
    return caller
