"""What speaks HTTP/2 under the chain: a switch, because the runtime is most of what a small call costs.

`grpcio` is the default: TLS, all four kinds of methods at full speed, years of use. `native` (pygrpc-native) serves
a unary call for about a third of the CPU, in plain text only: it is for a service behind a proxy that ends TLS
for it. What that asks of a deployment is in docs/decisions/0005-rpc-backends.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

import grpc

OTHER_THREADS = 32
"""For whatever else runs in threads; as many as Python's own default pool has at most."""


class Backend(StrEnum):
    """Name of a backend, as in the setting `{SERVICE}_RPC_BACKEND`."""

    GRPCIO = "grpcio"
    NATIVE = "native"


class BackendError(Exception):
    """The backend cannot do what is asked; the message says what and what to do."""


def prepare_loop(backend: Backend, max_calls: int) -> None:
    """Give the running event loop what the backend needs; once per process, before the server starts.

    The native backend waits for each reader that is slower than its stream in a thread of the loop's default
    pool. A pool of the usual size is full after half a dozen of them, and then nobody resolves a name or runs
    anything else in a thread: so there is one for every call that may be served at once. Threads are made when
    they are needed.
    """
    if backend is Backend.NATIVE:
        pool = ThreadPoolExecutor(max_calls + OTHER_THREADS, thread_name_prefix="loop")
        asyncio.get_running_loop().set_default_executor(pool)


def new_server(
    backend: Backend,
    interceptors: Sequence[grpc.aio.ServerInterceptor],
    *,
    max_calls: int,
    max_message_bytes: int,
    connection_age_seconds: int,
) -> grpc.aio.Server:
    """Return a bare server of the backend.

    Neither shares its port: with SO_REUSEPORT a second process by mistake would take half of the calls.

    Args:
        backend: which.
        interceptors: our chain.
        max_calls: the net below the chain's own limit; grpcio only, `native` has none.
        max_message_bytes: of one request.
        connection_age_seconds: after which a client must connect anew; grpcio only. Behind a mesh it is the
            proxy that finds new replicas.
    """
    options: list[tuple[str, int]] = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_metadata_size", 16 * 1024),
        ("grpc.so_reuseport", 0),
    ]
    if backend is Backend.NATIVE:
        import pygrpc_native.aio  # a process on grpcio never loads it

        return pygrpc_native.aio.server(interceptors=interceptors, options=options)
    options += [
        ("grpc.max_connection_age_ms", connection_age_seconds * 1000),
        ("grpc.max_connection_age_grace_ms", 30_000),
    ]
    return grpc.aio.server(interceptors=interceptors, options=options, maximum_concurrent_rpcs=max_calls)
