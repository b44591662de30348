"""The edge's settings."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from libs.settings.service import Port, ServiceSettings


class EdgeSettings(ServiceSettings):
    """Settings of the edge.

    Attributes:
        public_url: address under which Zendesk and browsers reach the edge.
    """

    model_config = SettingsConfigDict(env_prefix="EDGE_", extra="ignore", frozen=True)

    port: Port = 8080
    public_url: str = "http://127.0.0.1:8080"
