"""Policy's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from libs.settings.service import Port, ServiceSettings


class PolicySettings(ServiceSettings):
    """Settings of policy."""

    model_config = SettingsConfigDict(env_prefix="POLICY_", extra="ignore", frozen=True)

    port: Port = 7002
    account_relationships: Annotated[
        int,
        Field(ge=0, description="relationships of one account in memory; a larger one is answered from SQL"),
    ] = 2_000_000
    memory_relationships: Annotated[
        int, Field(ge=0, description="relationships of all accounts in memory")
    ] = 5_000_000
