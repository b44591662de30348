"""The one way an HTTP program listens and stops."""

from __future__ import annotations

import signal
import socket

import uvicorn
from starlette.types import ASGIApp

STOP_SECONDS = 20


class HttpPortTakenError(Exception):
    """Somebody else listens there; the message names the address."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; port 0 picks a free one.

    Raises:
        HttpPortTakenError: the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise HttpPortTakenError(f"cannot listen on {host}:{port}: the port is taken") from None
    return listener


def serve_http(
    app: ASGIApp, listener: socket.socket, *, stop_seconds: int = STOP_SECONDS, date_header: bool = True
) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is under way and return.

    Args:
        app: an ASGI application with a lifespan.
        listener: from `bind`; closed at the end.
        stop_seconds: for requests under way.
        date_header: whether the server adds `Date`; an application that lives in its own time adds it itself.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        date_header=date_header,
        timeout_graceful_shutdown=stop_seconds,
    )
    server = uvicorn.Server(config)

    def stop(*_: object) -> None:
        server.should_exit = True

    # uvicorn raises the signal again once it has stopped: without these the process would die of it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with listener:
        server.run(sockets=[listener])
