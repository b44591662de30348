"""The edge's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from libs.settings.service import Port, ServiceSettings


class EdgeSettings(ServiceSettings):
    """Settings of the edge.

    Attributes:
        public_url: address under which Zendesk, browsers and enforcement points reach the edge.
        enforcement_points_file: JSON array of `{name, account, key_sha256, trusted?}`: the programs that may
            ask over AuthZEN with a key of their own; None = persons only.
        api_keys_file: JSON array of `{name, account, key_sha256}`: the programs that may set statuses and limits
            of one account's agents; None = nobody.
        oauth_clients_file: JSON array of `{client_id, secret_sha256, may, account?}`: who may introspect and
            revoke tokens; None = nobody.
        authzen_body_bytes: of one AuthZEN request.
        authzen_items: evaluations in one request.
        authzen_page: results in one answer to a search.
    """

    model_config = SettingsConfigDict(env_prefix="EDGE_", extra="ignore", frozen=True)

    port: Port = 8080
    public_url: str = "http://127.0.0.1:8080"
    enforcement_points_file: Path | None = None
    api_keys_file: Path | None = None
    oauth_clients_file: Path | None = None
    authzen_body_bytes: Annotated[int, Field(gt=0)] = 1024 * 1024
    authzen_items: Annotated[int, Field(gt=0, le=10_000)] = 1000
    authzen_page: Annotated[int, Field(gt=0, le=1000)] = 1000

    @field_validator("public_url")
    @classmethod
    def _public_url_is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise PydanticCustomError("url", "must be an http(s) address without query and fragment")
        return value.rstrip("/")
