"""Log lines are JSON with ids; secrets, bodies and the texts of foreign exceptions stay out."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from libs.kernel.errors import NotFoundError
from libs.telemetry.logs import configure_logs, describe, get_logger


class Output:
    """Logs of this process, configured as a service does, when a test begins to write."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def configure(self) -> None:
        configure_logs("probe")  # within the test: pytest changes `sys.stdout` between fixtures and tests

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Iterator[Output]:
    """The output of a test; afterwards the logs are as before."""
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    yield Output(capsys)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def test_a_line_is_json_with_service_level_and_instant(output: Output) -> None:
    output.configure()
    get_logger().info("routed", account="acc-1", ticket=7)
    [line] = output.lines()

    assert line.pop("at").endswith("Z")
    assert line == {"event": "routed", "account": "acc-1", "ticket": 7, "level": "info", "service": "probe"}


def test_what_is_below_the_level_is_not_written(output: Output) -> None:
    output.configure()
    get_logger().debug("detail")
    assert output.lines() == []


@pytest.mark.parametrize("key", ["token", "authorization", "password", "secret", "body", "email", "name"])
def test_fields_that_may_not_be_logged_are_withheld_at_any_depth(output: Output, key: str) -> None:
    output.configure()
    get_logger().info("one", **{key: "hunter2"}, user_id=7)
    get_logger().info("two", facts={key: "hunter2", "id": 1}, rows=[{"inner": {key: "hunter2"}}])
    one, two = output.lines()

    assert one[key] == "(withheld)"
    assert one["user_id"] == 7
    assert two["facts"] == {key: "(withheld)", "id": 1}
    assert two["rows"] == [{"inner": {key: "(withheld)"}}]


def test_a_line_within_a_trace_names_it(output: Output) -> None:
    output.configure()
    with TracerProvider().get_tracer("test").start_as_current_span("work") as span:
        get_logger().info("inside")
    get_logger().info("outside")
    inside, outside = output.lines()

    assert int(inside["trace_id"], 16) == span.get_span_context().trace_id
    assert "trace_id" not in outside


def failing() -> None:
    try:
        int("lovelace@example.com")
    except ValueError as error:
        raise NotFoundError("user `7` is not known") from error


def test_of_an_exception_type_and_place_are_written_and_the_text_of_ours_only(output: Output) -> None:
    output.configure()
    try:
        failing()
    except NotFoundError:
        get_logger().exception("unexpected error", account="acc-1")
    [line] = output.lines()

    ours, foreign = line["exception"]
    assert (ours["type"], ours["message"]) == ("libs.kernel.errors.NotFoundError", "user `7` is not known")
    assert foreign["type"] == "builtins.ValueError"
    assert "message" not in foreign
    assert foreign["frames"][-1].endswith(" failing")
    assert "lovelace" not in json.dumps(line)


def test_deep_chains_and_tracebacks_are_cut() -> None:
    def dig(depth: int) -> None:
        try:
            raise ValueError(depth) if depth == 0 else KeyError(depth)
        except KeyError as error:
            try:
                dig(depth - 1)
            except Exception as inner:
                raise RuntimeError from (inner if depth % 2 else error)

    with pytest.raises(RuntimeError) as caught:
        dig(40)
    told = describe(caught.value)

    assert len(told) <= 5
    assert all(len(one["frames"]) <= 12 for one in told)  # type: ignore[arg-type]  # a list


def test_lines_of_other_libraries_have_the_same_form(output: Output) -> None:
    output.configure()
    stranger = logging.getLogger("stranger")
    stranger.info("not shown")
    stranger.warning('a "quoted"\nline of %s', "three")
    try:
        int("lovelace@example.com")
    except ValueError:
        stranger.exception("it failed")
    first, second = output.lines()

    assert (first["event"], first["level"]) == ('a "quoted"\nline of three', "warning")
    assert (first["logger"], first["service"]) == ("stranger", "probe")
    assert second["exception"][0]["type"] == "builtins.ValueError"
    assert "lovelace" not in json.dumps(second)
