"""Failures of Zendesk, auth and policy as errors of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from libs.kernel.errors import DependencyUnavailableError
from libs.rpc.errors import reason_of
from libs.zendesk.errors import TooManyRequestsError, ZendeskError, ZendeskUnavailableError
from services.assignment.domain.errors import ZendeskRefusedError


@asynccontextmanager
async def upstream() -> AsyncIterator[None]:
    """Translate what others answered within the block.

    Raises:
        DependencyUnavailableError: somebody does not answer, or refuses us.
        ZendeskRefusedError: Zendesk refused the change.
    """
    try:
        yield
    except (ZendeskUnavailableError, TooManyRequestsError) as error:
        raise DependencyUnavailableError(
            "Zendesk does not answer",
            metadata={"service": "zendesk"},
            retry_after_seconds=5.0 if error.retry_after_seconds is None else error.retry_after_seconds,
        ) from error
    except ZendeskError as error:
        metadata = {"status": str(error.status), "route": error.route}
        raise ZendeskRefusedError(f"Zendesk refused `{error.route}`", metadata=metadata) from error
    except grpc.aio.AioRpcError as error:
        reason = reason_of(error) or error.code().name
        raise DependencyUnavailableError(
            f"another service answered `{reason}`", metadata={"reason": reason}
        ) from error
