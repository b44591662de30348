"""Every test that asks for `serve` runs on both backends."""

from __future__ import annotations

import functools

import pytest

from libs.rpc.backends import Backend
from libs.rpc.tests import probe
from libs.rpc.tests.probe import Serve


@pytest.fixture(params=list(Backend))
def backend(request: pytest.FixtureRequest) -> Backend:
    """What speaks HTTP/2 in this test."""
    chosen: Backend = request.param
    return chosen


@pytest.fixture
def serve(backend: Backend) -> Serve:
    """Serves a probe on the backend: by mTLS on grpcio, as behind a mesh on the native one."""
    return functools.partial(probe.serve, backend=backend)
