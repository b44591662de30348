"""What is written down of a call: ids, code and duration; never what was said."""

import asyncio
from collections.abc import MutableMapping, Sequence
from typing import Any

import grpc
import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from libs.rpc.steps import Telemetry
from libs.rpc.tests.probe import EACH_KIND, MINE, Request, Serve, ask, method, refusal


class _Calls:
    """Counts the lines of calls; the caller may have his answer before the server is done with the call."""

    def __init__(self) -> None:
        self._lines = asyncio.Semaphore(0)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if event["event"] == "rpc":
            self._lines.release()
        return event

    async def written(self, number: int) -> None:
        """Wait for so many lines."""
        async with asyncio.timeout(10):
            for _ in range(number):
                await self._lines.acquire()


class _Spans(InMemorySpanExporter):
    """Keeps spans, and tells when one has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        self.ended.set()
        return result


async def _failing(request: Any, context: Any) -> str:
    raise ValueError("lovelace@example.com has no account")


@pytest.mark.parametrize("name", EACH_KIND)
async def test_each_call_is_one_line_with_its_final_code(serve: Serve, name: str) -> None:
    calls = _Calls()
    with structlog.testing.capture_logs(processors=[calls]) as lines:
        async with serve() as rpc:
            await ask(rpc.channel(), name, Request(parent=MINE), metadata=rpc.token())
            await refusal(rpc.channel(), name, Request(parent=MINE, size=-1), metadata=rpc.token())
            await refusal(rpc.channel(), name, Request(parent=MINE))
        await calls.written(3)

    told = [line for line in lines if line["event"] == "rpc"]
    assert [(c["code"], c["account"], c["log_level"]) for c in told] == [
        ("OK", "acc-1", "debug"),
        ("INVALID_ARGUMENT", "acc-1", "info"),
        ("UNAUTHENTICATED", "", "info"),
    ]
    for call in told:
        assert set(call) == {"event", "method", "account", "code", "duration_ms", "log_level"}
        assert call["method"] == method(name)
        assert call["duration_ms"] > 0


async def test_nothing_of_a_body_or_token_is_written(serve: Serve) -> None:
    calls = _Calls()
    with structlog.testing.capture_logs(processors=[calls]) as lines:
        async with serve() as rpc:
            token = rpc.token()
            await ask(rpc.channel(), "Read", Request(parent=MINE, thing={"name": "lovelace"}), metadata=token)
            await refusal(rpc.channel(), "Read", Request(parent=MINE, words=["lovelace"]), metadata=token)
        await calls.written(2)

    assert len(lines) == 2
    assert "lovelace" not in str(lines)
    assert token[0][1][:20] not in str(lines)


async def test_a_fault_of_ours_is_a_warning_and_says_where(serve: Serve) -> None:
    calls = _Calls()
    with structlog.testing.capture_logs(processors=[calls]) as lines:
        async with serve(_failing) as rpc:
            await refusal(rpc.channel(), "Read", Request(parent=MINE), metadata=rpc.token())
        await calls.written(1)

    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("unexpected error", "error"),
        ("rpc", "warning"),
    ]
    assert lines[1]["code"] == "INTERNAL"


async def test_the_code_with_which_a_servicer_ended_a_call_is_written(serve: Serve) -> None:
    async def behave(request: Any, context: Any) -> str:
        await context.abort(grpc.StatusCode.DATA_LOSS, "gone")
        return "never"

    calls = _Calls()
    with structlog.testing.capture_logs(processors=[calls]) as lines:
        async with serve(behave) as rpc:
            await refusal(rpc.channel(), "Read", Request(parent=MINE), metadata=rpc.token())
        await calls.written(1)

    assert [line["code"] for line in lines] == ["DATA_LOSS"]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> _Spans:
    exporter, provider = _Spans(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", lambda name: provider.get_tracer(name))
    return exporter


async def _finished(exporter: _Spans) -> ReadableSpan:
    """Return the span; the caller may have his answer before the server is done with the call."""
    async with asyncio.timeout(10):
        await exporter.ended.wait()
    [span] = exporter.get_finished_spans()
    return span


async def test_a_span_continues_the_callers_trace_and_has_the_final_code(serve: Serve, spans: _Spans) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with serve(_failing) as rpc:
        await refusal(
            rpc.channel(),
            "Read",
            Request(parent=MINE),
            metadata=(*rpc.token(), ("traceparent", parent)),
        )

    span = await _finished(spans)
    assert span.name == "setlist.probe.v1.ProbeService/Read"
    assert span.context is not None
    assert trace.format_trace_id(span.context.trace_id) == "0af7651916cd43dd8448eb211c80319c"
    assert dict(span.attributes or {}) == {
        "rpc.method": "setlist.probe.v1.ProbeService/Read",
        "rpc.response.status_code": "INTERNAL",
    }
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.events == ()  # an exception's text may hold what a person wrote


async def test_a_refusal_is_no_fault_of_the_server(serve: Serve, spans: _Spans) -> None:
    async with serve() as rpc:
        await refusal(rpc.channel(), "Read", Request(parent=MINE))

    span = await _finished(spans)
    assert span.status.status_code is trace.StatusCode.UNSET


async def test_a_broken_outer_step_does_not_leak(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: Any, call: Any, proceed: Any) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(Telemetry, "around", broken)
    async with serve() as rpc:
        for name in EACH_KIND:
            error = await refusal(rpc.channel(), name, Request(parent=MINE), metadata=rpc.token())
            assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")
