"""Auth's settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from libs.settings.service import Port, ServiceSettings


class AuthSettings(ServiceSettings):
    """Settings of auth.

    Attributes:
        app_public_key_files: `{app id}={path}` pairs, separated by commas: Zendesk's public key of each app.
        key_encryption_key_file: base64 of 32 bytes, or a folder with a file per key, the last by name wrapping; wraps
            every data key.
        oauth_scopes: separated by blanks.
        signing_algorithm: of signing keys made from now on.
        journal_dir: keeps new Zendesk pairs until the database has them; a volume of each replica's own. None = beside
            an embedded database, else no journal.
        peer_calls_per_second: of one service to one replica; twice as many in a burst.
        account_calls_per_second: of one service for one account; the same.
    """

    model_config = SettingsConfigDict(env_prefix="AUTH_", extra="ignore", frozen=True)

    port: Port = 7001
    app_public_key_files: str = ""
    key_encryption_key_file: Path | None = None
    key_encryption_key: SecretStr | None = None
    journal_dir: Path | None = None
    peer_calls_per_second: Annotated[float, Field(gt=0)] = 5_000.0
    account_calls_per_second: Annotated[float, Field(gt=0)] = 1_000.0
    signing_algorithm: Literal["ES256", "EdDSA"] = "ES256"
    oauth_client_id: str = "setlist"
    oauth_client_secret: SecretStr = SecretStr("")
    oauth_redirect_uri: str = "http://127.0.0.1:8080/oauth/callback"
    oauth_scopes: str = Field(
        default="read tickets:write users:write webhooks:write triggers:write apps:write", min_length=1
    )

    @field_validator("app_public_key_files")
    @classmethod
    def _pairs(cls, value: str) -> str:
        seen: set[str] = set()
        for pair in filter(None, value.split(",")):
            number, _, path = pair.partition("=")
            if not re.fullmatch(r"[1-9][0-9]{0,18}", number) or not path:
                raise ValueError("must be `app id=path`, separated by commas")
            if number in seen:
                raise ValueError(f"app `{number}` is named twice")
            seen.add(number)
        return value

    def app_keys(self) -> dict[int, Path]:
        """Return the key file of each app."""
        pairs = (pair.partition("=") for pair in filter(None, self.app_public_key_files.split(",")))
        return {int(number): Path(path) for number, _, path in pairs}
