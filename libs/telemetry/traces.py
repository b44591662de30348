"""OpenTelemetry: spans and measurements leave the process only when an OTLP endpoint is set."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

EXPORT_SECONDS = 3.0
"""For one export, retries included; so long at most a stopping process waits for a collector that is away."""


def configure_telemetry(service: str, endpoint: str | None) -> list[TracerProvider | MeterProvider]:
    """Set the global providers.

    Args:
        service: becomes `service.name`.
        endpoint: OTLP over gRPC, e.g. `http://collector:4317`; None keeps everything off.

    Returns:
        The providers, for `flush` at the end.
    """
    if endpoint is None:
        return []
    resource = Resource.create({"service.name": f"setlist-{service}"})
    spans = TracerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS)))
    trace.set_tracer_provider(spans)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint, timeout=EXPORT_SECONDS))
    meters = MeterProvider(resource=resource, metric_readers=[reader])
    metrics.set_meter_provider(meters)
    return [spans, meters]


async def flush(providers: Sequence[TracerProvider | MeterProvider]) -> None:
    """Send what is left and shut down, all at once; within `EXPORT_SECONDS`."""
    await asyncio.gather(*(asyncio.to_thread(provider.shutdown) for provider in providers))
