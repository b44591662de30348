"""Settings come from the environment, all faults are told at once, and secrets stay secret."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from libs.settings.service import (
    Port,
    ServiceSettings,
    load_settings,
    print_help,
    print_settings,
    variable_name,
)


class ProbeSettings(ServiceSettings):
    """Settings of a service with one setting of its own."""

    model_config = SettingsConfigDict(env_prefix="PROBE_", extra="ignore", frozen=True)

    port: Port = 7999
    api_secret: SecretStr | None = None


Set = Callable[..., None]


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Sets environment variables, on a clean environment."""
    for name in list(os.environ):
        if name.startswith(("PROBE_", "SETLIST_", "ZENDESK_")):
            monkeypatch.delenv(name)

    def put(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return put


def refused(capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as caught:
        load_settings(ProbeSettings)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_a_service_starts_with_zero_environment_on_this_machine_only(variables: Set) -> None:
    settings = load_settings(ProbeSettings)

    assert settings.listen_host == "127.0.0.1"
    assert settings.port == 7999
    assert settings.database_url is None
    assert not settings.tls


def test_variables_have_the_services_prefix_but_those_that_are_the_suites(variables: Set) -> None:
    variables(
        PROBE_PORT="1234",
        PROBE_ISSUER="https://wrong.example",
        SETLIST_ISSUER="https://auth.example",
        ZENDESK_URL_TEMPLATE="http://127.0.0.1:8090/{subdomain}",
    )
    settings = load_settings(ProbeSettings)

    assert settings.port == 1234
    assert settings.issuer == "https://auth.example"
    assert settings.zendesk_url_template == "http://127.0.0.1:8090/{subdomain}"
    assert variable_name(ProbeSettings, "port") == "PROBE_PORT"
    assert variable_name(ProbeSettings, "issuer") == "SETLIST_ISSUER"


def test_with_tls_every_address_is_served_unless_one_is_named(variables: Set) -> None:
    files = {f"PROBE_TLS_{name}_FILE": f"/tls/{name}" for name in ("CERT", "KEY", "CA")}
    variables(**files)
    assert load_settings(ProbeSettings).listen_host == "0.0.0.0"

    variables(PROBE_HOST="10.0.0.7")
    assert load_settings(ProbeSettings).listen_host == "10.0.0.7"


def test_each_bad_variable_is_one_sentence_and_all_are_told(
    variables: Set, capsys: pytest.CaptureFixture[str]
) -> None:
    variables(
        PROBE_PORT="70000", PROBE_MAX_CALLS="many", PROBE_LOG_LEVEL="loud", PROBE_DRAIN_GRACE_SECONDS="0"
    )

    lines = refused(capsys)

    assert sorted(line.split(":")[0] for line in lines) == [
        "PROBE_DRAIN_GRACE_SECONDS",
        "PROBE_LOG_LEVEL",
        "PROBE_MAX_CALLS",
        "PROBE_PORT",
    ]
    assert "PROBE_PORT: input should be less than or equal to 65535, got `70000`" in lines


@pytest.mark.parametrize("given", [("CERT",), ("CERT", "KEY"), ("CA",)])
def test_the_tls_files_come_all_or_none(
    variables: Set, capsys: pytest.CaptureFixture[str], given: tuple[str, ...]
) -> None:
    variables(**{f"PROBE_TLS_{name}_FILE": "/x" for name in given})

    [line] = refused(capsys)

    assert (
        line
        == "PROBE_TLS_CERT_FILE, PROBE_TLS_KEY_FILE, PROBE_TLS_CA_FILE: must be set together or not at all"
    )


def test_the_native_backend_is_chosen_by_a_variable_and_takes_no_certificate(
    variables: Set, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load_settings(ProbeSettings).rpc_backend == "grpcio"

    variables(PROBE_RPC_BACKEND="native")
    assert load_settings(ProbeSettings).rpc_backend == "native"

    variables(**{f"PROBE_TLS_{name}_FILE": f"/tls/{name}" for name in ("CERT", "KEY", "CA")})
    assert refused(capsys) == [
        "PROBE_RPC_BACKEND: `native` serves no TLS, so PROBE_TLS_CERT_FILE must not be set"
    ]

    variables(PROBE_RPC_BACKEND="nativ")
    [line] = refused(capsys)
    assert line == "PROBE_RPC_BACKEND: input should be 'grpcio' or 'native', got `nativ`"


def test_a_mesh_is_the_suites_and_opens_no_address_by_itself(
    variables: Set, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load_settings(ProbeSettings).rpc_plaintext_behind_mesh is False

    variables(SETLIST_RPC_PLAINTEXT_BEHIND_MESH="true", PROBE_RPC_BACKEND="native")
    settings = load_settings(ProbeSettings)
    assert settings.rpc_plaintext_behind_mesh
    assert settings.listen_host == "127.0.0.1"

    print_settings(settings)
    print_help("probe", ProbeSettings)
    shown = capsys.readouterr().out.splitlines()
    assert {"PROBE_RPC_BACKEND=native", "SETLIST_RPC_PLAINTEXT_BEHIND_MESH=True"} <= set(shown)
    assert "  PROBE_RPC_BACKEND  (default: grpcio)" in shown
    assert "  SETLIST_RPC_PLAINTEXT_BEHIND_MESH  (default: False)" in shown


def test_an_address_of_zendesk_must_name_the_account(
    variables: Set, capsys: pytest.CaptureFixture[str]
) -> None:
    variables(ZENDESK_URL_TEMPLATE="https://zendesk.example")

    [line] = refused(capsys)

    assert line == "ZENDESK_URL_TEMPLATE: must contain `{subdomain}`, got `https://zendesk.example`"


def test_a_bad_secret_is_not_repeated(variables: Set, capsys: pytest.CaptureFixture[str]) -> None:
    class Strict(ProbeSettings):
        """A secret that cannot be read."""

        unlock_key: int = 0

    variables(PROBE_UNLOCK_KEY="hunter2")
    with pytest.raises(SystemExit):
        load_settings(Strict)
    err = capsys.readouterr().err

    assert err.startswith("PROBE_UNLOCK_KEY: ")
    assert "(withheld)" in err
    assert "hunter2" not in err


def test_the_printed_settings_hold_every_variable_and_no_secret(
    variables: Set, capsys: pytest.CaptureFixture[str]
) -> None:
    variables(
        PROBE_DATABASE_URL="postgresql://setlist:hunter2@db/probe",
        PROBE_PAGE_TOKEN_KEY="hunter3",
        PROBE_API_SECRET="hunter4",
        PROBE_PORT="1234",
    )
    print_settings(load_settings(ProbeSettings))
    out = capsys.readouterr().out
    shown = dict(line.split("=", 1) for line in out.splitlines())

    assert shown["PROBE_PORT"] == "1234"
    assert shown["PROBE_HOST"] == ""
    assert set(shown) == {variable_name(ProbeSettings, f) for f in ProbeSettings.model_fields}
    assert (
        shown["PROBE_DATABASE_URL"] == shown["PROBE_PAGE_TOKEN_KEY"] == shown["PROBE_API_SECRET"] == "*" * 10
    )
    assert "hunter" not in out


def test_the_help_names_every_variable_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    print_help("probe", ProbeSettings)
    out = capsys.readouterr().out

    assert out.startswith("usage: probe [--help] [--print-config]")
    assert "  PROBE_PORT  (default: 7999)" in out
    assert "  SETLIST_ISSUER  (default: https://auth.setlist.local)" in out
    assert out.count("(default: ") == len(ProbeSettings.model_fields)


def test_settings_cannot_be_changed_afterwards(variables: Set) -> None:
    settings = load_settings(ProbeSettings)
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


def test_the_state_folder_is_made_where_one_says(variables: Set, tmp_path: Path) -> None:
    variables(PROBE_STATE_DIR=str(tmp_path / "a" / "b"))
    folder = load_settings(ProbeSettings).state_folder("probe")

    assert folder == tmp_path / "a" / "b"
    assert folder.is_dir()
    assert not stat.S_IMODE(folder.stat().st_mode) & 0o066
