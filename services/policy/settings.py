"""Policy's settings."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from libs.settings.service import Port, ServiceSettings


class PolicySettings(ServiceSettings):
    """Settings of policy."""

    model_config = SettingsConfigDict(env_prefix="POLICY_", extra="ignore", frozen=True)

    port: Port = 7002
