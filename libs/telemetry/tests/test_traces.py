"""Telemetry leaves the process only when it is told where to go, and never holds up its end."""

import os
import subprocess
import sys
import time

from libs.telemetry.traces import EXPORT_SECONDS, configure_telemetry, flush

PROGRAM = """
import asyncio, time
from opentelemetry import metrics, trace
from libs.telemetry.traces import configure_telemetry, flush

providers = configure_telemetry("probe", "http://127.0.0.1:1")
with trace.get_tracer("test").start_as_current_span("work") as span:
    assert span.is_recording()
metrics.get_meter("test").create_counter("calls").add(1)
assert providers[0].resource.attributes["service.name"] == "setlist-probe"
began = time.monotonic()
asyncio.run(flush(providers))
print(time.monotonic() - began)
"""


async def test_without_an_endpoint_nothing_is_set_up() -> None:
    assert configure_telemetry("probe", None) == []
    await flush([])


def test_a_collector_that_is_away_holds_the_end_up_for_three_seconds_at_most() -> None:
    """In a process of its own: providers are global, and the collector's port 1 refuses."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < EXPORT_SECONDS + 2
    assert time.monotonic() - began < 30
