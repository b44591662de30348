"""Settings that every service has, and how they are read.

Everything comes from the environment, with the service's name as prefix (`POLICY_PORT`). Bad values are
told all at once, at the start.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]
_BACKEND_FIELDS = {"backend": "rpc_backend", "cert": "tls_cert_file"}
Seconds = Annotated[float, Field(gt=0)]


class ServiceSettings(BaseSettings):
    """Settings of one service. Subclasses set `model_config["env_prefix"]` and the ports.

    Attributes:
        host: address to listen on; None = all addresses with TLS, 127.0.0.1 without.
        database_url: `postgresql+psycopg://…`; None starts an embedded PostgreSQL and migrates it.
        state_dir: where an embedded start keeps its files; None = `$XDG_STATE_HOME/setlist/{service}`,
            for root `/var/lib/setlist/{service}`.
        tls_cert_file: PEM of this service's certificate and chain; all three TLS files or none.
        trust_domain: SPIFFE trust domain of every peer.
        namespace: Kubernetes namespace in the SPIFFE ids.
        issuer: `iss` of all our tokens; read from `SETLIST_ISSUER`.
        zendesk_url_template: base URL of an account, with `{subdomain}`; read from `ZENDESK_URL_TEMPLATE`.
        page_token_key: signs page tokens; the same on every replica.
        rpc_backend: what speaks HTTP/2: `grpcio`, or `native` for plain text behind a proxy that ends TLS.
        rpc_plaintext_behind_mesh: plain text may listen on any address, and its peers are those that context
            tokens name; read from `SETLIST_RPC_PLAINTEXT_BEHIND_MESH`. Without it plain text is for loopback,
            and whoever calls there is an operator of this machine.
        drain_lag_seconds: from NOT_SERVING to the refusal of new calls.
        drain_grace_seconds: for calls in flight.
    """

    model_config = SettingsConfigDict(env_prefix="SETLIST_", extra="ignore", frozen=True)

    host: str | None = None
    port: Port = 0
    health_port: Port = 0
    database_url: SecretStr | None = None
    state_dir: Path | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    tls_ca_file: Path | None = None
    trust_domain: str = "setlist.local"
    namespace: str = "setlist"
    auth_address: str | None = None
    policy_address: str | None = None
    assignment_address: str | None = None
    privacy_address: str | None = None
    issuer: str = Field(default="https://auth.setlist.local", validation_alias="SETLIST_ISSUER")
    zendesk_url_template: str = Field(
        default="https://{subdomain}.zendesk.com", validation_alias="ZENDESK_URL_TEMPLATE"
    )
    rpc_backend: Literal["grpcio", "native"] = "grpcio"
    rpc_plaintext_behind_mesh: bool = Field(
        default=False, validation_alias="SETLIST_RPC_PLAINTEXT_BEHIND_MESH"
    )
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    otlp_endpoint: str | None = None
    page_token_key: SecretStr | None = None
    drain_lag_seconds: Annotated[float, Field(ge=0)] = 5.0
    drain_grace_seconds: Seconds = 20.0
    max_calls: Annotated[int, Field(gt=0)] = 400
    database_connections: Annotated[int, Field(gt=0)] = 10

    @model_validator(mode="after")
    def _native_has_no_tls(self) -> Self:
        if self.rpc_backend == "native" and self.tls_cert_file is not None:
            names = {key: variable_name(type(self), field) for key, field in _BACKEND_FIELDS.items()}
            raise PydanticCustomError(
                "backend", "{backend}: `native` serves no TLS, so {cert} must not be set", dict(names)
            )
        return self

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        given = [self.tls_cert_file, self.tls_key_file, self.tls_ca_file]
        if any(given) and not all(given):
            fields = ("tls_cert_file", "tls_key_file", "tls_ca_file")
            names = ", ".join(variable_name(type(self), field) for field in fields)
            raise PydanticCustomError("tls", "{names}: must be set together or not at all", {"names": names})
        return self

    @field_validator("zendesk_url_template")
    @classmethod
    def _template_names_the_account(cls, value: str) -> str:
        if "{subdomain}" not in value:
            raise PydanticCustomError("template", "must contain `{subdomain}`")
        return value

    @property
    def tls(self) -> bool:
        return self.tls_cert_file is not None

    @property
    def listen_host(self) -> str:
        """The address to listen on: without TLS nobody but this machine is let in."""
        return self.host or ("0.0.0.0" if self.tls else "127.0.0.1")  # noqa: S104 - behind mTLS

    def state_folder(self, service: str) -> Path:
        """Return (and make) the folder for what an embedded start keeps.

        Root's own home cannot be entered by `nobody`, as whom PostgreSQL then runs: root's is in `/var/lib`.
        """
        mode = 0o711 if os.geteuid() == 0 else 0o700
        if self.state_dir is not None:
            folder = self.state_dir
        elif os.geteuid() == 0:
            folder, mode = Path("/var/lib/setlist") / service, 0o755
        else:
            base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
            folder = Path(base) / "setlist" / service
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
        return folder


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def variable_name(settings_type: type[ServiceSettings], field: str) -> str:
    """Return the environment variable of a setting."""
    alias = settings_type.model_fields[field].validation_alias
    return str(alias) if alias else f"{settings_type.model_config['env_prefix']}{field}".upper()


def load_settings(settings_type: type[SettingsT]) -> SettingsT:
    """Read settings from the environment.

    Raises:
        SystemExit: with code 2, after one sentence on standard error for each bad variable.
    """
    try:
        return settings_type()
    except ValidationError as error:
        for fault in error.errors():
            print(_sentence(fault, settings_type), file=sys.stderr)  # noqa: T201 - what a person sees
        raise SystemExit(2) from None


def _sentence(fault: Any, settings_type: type[ServiceSettings]) -> str:
    if not fault["loc"]:
        return str(fault["msg"])
    text = fault["msg"][:1].lower() + fault["msg"][1:]
    field = str(fault["loc"][0])
    name = variable_name(settings_type, field) if field in settings_type.model_fields else field.upper()
    return f"{name}: {text}, got `{_shown(fault, field.lower())}`"


def _shown(fault: Any, field: str) -> str:
    secret = any(word in field for word in ("key", "secret", "password", "database_url"))
    return "(withheld)" if secret else str(fault["input"])


def print_settings(settings: ServiceSettings) -> None:
    """Print every setting as `VARIABLE=value`, secrets withheld."""
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        shown = "" if value is None else value
        print(f"{variable_name(type(settings), field)}={shown}")  # noqa: T201 - this is the answer to --print-config


def print_help(name: str, settings_type: type[ServiceSettings]) -> None:
    """Print what the service is, its options and its variables with their defaults."""
    print(f"usage: {name} [--help] [--print-config]\n\nSettings come from the environment:")  # noqa: T201
    for field, info in settings_type.model_fields.items():
        default = "" if info.default is None else info.default
        print(f"  {variable_name(settings_type, field)}  (default: {default})")  # noqa: T201
