"""Which PostgreSQL a test run uses, and why; chosen once, said at the end of the run.

| `TEST_POSTGRES` | meaning |
|---|---|
| `auto` (default) | `TEST_POSTGRES_URL` if set; else a container if an engine answers; else embedded |
| `url`, `container`, `embedded` | only that; if it is not there the run fails with the reason |

Never a skip, never a silent change.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from libs.db.binaries import binaries
from libs.db.embedded import EmbeddedPostgres
from libs.db.urls import libpq_url

ROLE = "setlist_test"
MODES = ("auto", "url", "container", "embedded")
DEFAULT_IMAGE = "postgres:17-alpine"


class Backend(Protocol):
    """A PostgreSQL server for one run."""

    def start(self) -> str:
        """Return the address of a maintenance database for a plain role that may create databases."""
        ...

    def stop(self) -> None:
        """Leave nothing behind."""
        ...


class GivenServer:
    """A server that somebody else runs; only databases with our prefix are made and dropped there."""

    def __init__(self, url: str) -> None:
        self._url = url

    def start(self) -> str:
        return libpq_url(self._url)

    def stop(self) -> None:
        return None


class ContainerServer:
    """A server in a container, by testcontainers."""

    def __init__(self, image: str) -> None:
        os.environ.setdefault("TC_MAX_TRIES", "30")  # a container that dies at start costs the whole wait
        from testcontainers.community.postgres import PostgresContainer

        self._container = PostgresContainer(image, driver=None)

    def start(self) -> str:
        self._container.start()
        admin = self._container.get_connection_url()
        with psycopg.connect(admin, autocommit=True) as connection:
            role = sql.Identifier(ROLE)
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, sql.Literal(ROLE))
            )
        place = admin.rpartition("@")[2]
        return f"postgresql://{ROLE}:{ROLE}@{place}"

    def stop(self) -> None:
        self._container.stop()


class EmbeddedServer:
    """The embedded server, thrown away afterwards."""

    def __init__(self) -> None:
        self._server = EmbeddedPostgres()

    def start(self) -> str:
        self._server.start()
        self._server.create_role(ROLE, create_databases=True)
        return self._server.url("postgres", role=ROLE)

    def stop(self) -> None:
        self._server.stop()


def choose(environment: Mapping[str, str]) -> tuple[Backend, str]:
    """Return the server of this run and what to print about it.

    Raises:
        pytest.UsageError: the mode is unknown, or what it demands is not there.
    """
    mode, reason = environment.get("TEST_POSTGRES", "auto"), "not asked for"
    if mode not in MODES:
        raise pytest.UsageError(f"`TEST_POSTGRES={mode}` is none of {', '.join(MODES)}")
    if mode in {"auto", "url"} and (url := environment.get("TEST_POSTGRES_URL")):
        return GivenServer(url), "TEST_POSTGRES_URL"
    if mode in {"auto", "container"}:
        image = environment.get("TEST_POSTGRES_IMAGE", DEFAULT_IMAGE)
        problem = engine_problem(image)
        if problem is None:
            return ContainerServer(image), f"testcontainers {image}"
        reason = problem
    if mode in {"url", "container"}:
        why = reason if mode == "container" else "`TEST_POSTGRES_URL` is not set"
        raise pytest.UsageError(f"`TEST_POSTGRES={mode}` but {why}")
    return EmbeddedServer(), f"embedded {binaries()} ({reason})"


def engine_problem(image: str) -> str | None:
    """Return why no container of `image` can be had, in one line; None when it can."""
    try:
        import docker  # type: ignore[import-untyped]  # ships no types
        from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]
    except ImportError as error:
        return f"no container client ({error.name} is not installed)"
    if not _somebody_listens(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"):
        return "no container engine (nobody listens)"
    try:
        engine = docker.from_env(timeout=5)
        try:
            engine.ping()
            try:
                engine.images.get(image)
            except ImageNotFound:
                engine.images.pull(image)
        except DockerException as error:
            return f"image {image} is neither local nor pullable ({type(error).__name__})"
        finally:
            engine.close()
    except DockerException as error:
        return f"no container engine ({type(error).__name__})"
    return None


def _somebody_listens(host: str) -> bool:
    """Tell whether the engine's address answers; the client leaks its socket when it does not."""
    address = urlsplit(host)
    try:
        if address.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(5)
                probe.connect(address.path)
        elif address.hostname is not None:
            socket.create_connection((address.hostname, address.port or 2375), timeout=5).close()
    except OSError:
        return False
    return True
