"""A process that starts says what it chose; one that cannot start says why in one sentence."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.crypto.ca import ThrowAwayCa
from libs.rpc.channel import build_channel
from libs.rpc.tests.probe import PROBE, Request, ask, refusal
from libs.rpc.tls import TlsFiles
from libs.service.tests.process import NOT_SERVING, SERVING, health, run, running, until_health
from libs.testing.postgres import FreshDatabase

pytestmark = pytest.mark.integration
NOWHERE = {"TINY_DATABASE_URL": "postgresql://setlist:hunter2@127.0.0.1:1/nothing"}


async def test_help_names_every_variable() -> None:
    code, out, err = await run("--help")

    assert (code, err) == (0, "")
    assert out.startswith("usage: tiny")
    assert "TINY_PORT" in out
    assert "TINY_API_SECRET" in out


async def test_the_printed_configuration_withholds_secrets() -> None:
    code, out, err = await run("--print-config", **NOWHERE, TINY_API_SECRET="hunter2", TINY_PORT="1234")

    assert (code, err) == (0, "")
    assert "TINY_PORT=1234" in out
    assert "TINY_API_SECRET=**********" in out
    assert "hunter2" not in out


async def test_bad_settings_are_told_all_at_once() -> None:
    code, out, err = await run(TINY_PORT="x", TINY_MAX_CALLS="0", TINY_LOG_LEVEL="loud")

    assert (code, out) == (2, "")
    assert sorted(line.split(":")[0] for line in err.splitlines()) == [
        "TINY_LOG_LEVEL",
        "TINY_MAX_CALLS",
        "TINY_PORT",
    ]


async def test_an_unknown_argument_is_named() -> None:
    assert await run("--prot") == (2, "", "tiny: unknown argument `--prot`; see --help\n")


async def test_a_taken_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = await run(**NOWHERE, TINY_PORT=str(port))

    assert code == 1
    assert (
        err.splitlines()[-1]
        == f"tiny: cannot listen on 127.0.0.1:{port}: the port is taken or the address is not ours"
    )
    assert "Traceback" not in err


async def test_a_taken_health_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = await run(**NOWHERE, TINY_HEALTH_PORT=str(port))

    assert code == 1
    assert f"tiny: cannot listen on 127.0.0.1:{port}: " in err
    assert "Traceback" not in err


async def test_a_peer_table_with_holes_keeps_a_service_from_starting() -> None:
    code, _, err = await run(**NOWHERE, TINY_PEERS="short")

    assert code == 1
    assert err == f"tiny: `/{PROBE.full_name}/Read` has no entry in the peer table\n"


async def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "clock").write_bytes(b"")
    tls = {f"TINY_TLS_{name}_FILE": str(tmp_path / name.lower()) for name in ("CERT", "KEY", "CA")}

    code, _, err = await run(**NOWHERE, **tls)
    assert code == 1
    assert err.startswith("tiny: the TLS files cannot be used: ")
    assert len(err.splitlines()) == 1

    code, _, err = await run(**NOWHERE, SETLIST_CLOCK_FILE=str(tmp_path / "clock"))
    assert code == 1
    assert err.startswith("tiny: the clock file cannot be used: ")
    assert len(err.splitlines()) == 1


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder that `nobody` can reach: pytest's own are closed to others, and root's PostgreSQL is another."""
    with tempfile.TemporaryDirectory(prefix="setlist-state-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "state"


async def test_with_zero_environment_it_serves_on_a_database_of_its_own_and_says_so(state: Path) -> None:
    async with running(TINY_STATE_DIR=str(state)) as service:
        chose = await service.event("no database URL is set: embedded PostgreSQL")
        serving = await service.event("serving")
        await until_health(serving["health"], "readiness", SERVING)
        async with build_channel(serving["address"], services=[PROBE]) as channel:
            answers = await ask(channel, "Read", Request(parent="x"))
        service.process.terminate()
        assert await service.end() == 0

    assert chose["folder"] == str(state)
    assert chose["migrated"] == ["0001", "0002", "0003"]
    assert serving["tls"] is False
    assert serving["services"] == [PROBE.full_name]
    assert answers == ["echo x"]


async def test_a_service_lives_but_is_not_ready_without_its_database(fresh_database: FreshDatabase) -> None:
    async with running(**NOWHERE) as service:
        serving = await service.event("serving")
        why = await service.event("readiness")
        assert await health(serving["health"], "liveness") == SERVING
        assert await health(serving["health"], "readiness") == NOT_SERVING
    assert why["ready"] is False
    assert "hunter2" not in str(service.lines)

    async with running(TINY_DATABASE_URL=fresh_database(None)) as service:
        await service.event("serving")
        assert (await service.event("readiness"))["why"] == "schema None is older than 0003"


async def test_plain_text_is_not_served_to_strangers() -> None:
    code, _, err = await run(**NOWHERE, TINY_HOST="0.0.0.0")

    assert code == 1
    assert err.startswith("tiny: plain text on 0.0.0.0:0 would be open to strangers: ")
    assert len(err.splitlines()) == 1


async def test_the_native_backend_takes_no_certificate(tmp_path: Path) -> None:
    tls = {f"TINY_TLS_{name}_FILE": str(tmp_path / name.lower()) for name in ("CERT", "KEY", "CA")}
    code, _, err = await run(**NOWHERE, **tls, TINY_RPC_BACKEND="native")

    assert code == 2
    assert err == "TINY_RPC_BACKEND: `native` serves no TLS, so TINY_TLS_CERT_FILE must not be set\n"


async def test_the_native_backend_serves_and_behind_a_mesh_nobody_is_an_operator_for_being_near(
    fresh_database: FreshDatabase,
) -> None:
    native = {
        "TINY_DATABASE_URL": fresh_database("libs.db.tests.migrations_sample"),
        "TINY_RPC_BACKEND": "native",
    }
    async with running(**native) as service:
        serving = await service.event("serving")
        async with build_channel(serving["address"], services=[PROBE]) as channel:
            assert await ask(channel, "Read", Request(parent="x")) == ["echo x"]
    async with running(**native, SETLIST_RPC_PLAINTEXT_BEHIND_MESH="true", TINY_HOST="0.0.0.0") as service:
        behind = await service.event("serving")
        port = behind["address"].rpartition(":")[2]
        async with build_channel(f"127.0.0.1:{port}", services=[PROBE]) as channel:
            error = await refusal(channel, "Read", Request(parent="x"))

    assert (serving["backend"], serving["tls"]) == ("native", False)
    assert error.details() == "this peer may not call this method"


async def test_with_tls_it_serves_its_peers(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    ca = ThrowAwayCa()
    (tmp_path / "ca.crt").write_bytes(ca.certificate)
    cert, key = ca.issue("tiny").write(tmp_path, "tiny")
    variables = {
        "TINY_DATABASE_URL": fresh_database("libs.db.tests.migrations_sample"),
        "TINY_TLS_CERT_FILE": str(cert),
        "TINY_TLS_KEY_FILE": str(key),
        "TINY_TLS_CA_FILE": str(tmp_path / "ca.crt"),
        "TINY_HOST": "127.0.0.1",
    }
    async with running(**variables) as service:
        serving = await service.event("serving")
        await until_health(serving["health"], PROBE.full_name, SERVING)
        ops = TlsFiles(*ca.issue("ops").write(tmp_path, "ops"), tmp_path / "ca.crt")
        async with build_channel(serving["address"], services=[PROBE], tls=ops) as channel:
            assert await ask(channel, "Read", Request(parent="x")) == ["echo x"]
        service.process.terminate()
        assert await service.end() == 0

    assert serving["tls"] is True
