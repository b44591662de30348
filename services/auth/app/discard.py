"""Getting rid of a pair that we will not keep."""

from __future__ import annotations

from libs.kernel.errors import SetlistError
from libs.telemetry.logs import get_logger
from services.auth.app.ports import Zendesk


async def discard(zendesk: Zendesk, base: str, access: str) -> None:
    """Revoke a pair at Zendesk as well as it goes: a failure is logged, the caller has something else to say."""
    try:
        await zendesk.revoke(base, access)
    except SetlistError as error:
        get_logger().warning("a pair that is not kept could not be revoked", why=error.reason)
