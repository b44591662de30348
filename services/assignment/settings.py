"""Assignment's settings."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from libs.settings.service import Port, ServiceSettings


class AssignmentSettings(ServiceSettings):
    """Settings of assignment.

    Attributes:
        key_encryption_key_file: base64 of 32 bytes; wraps the data keys of webhook secrets.
        minute_job: whether the ticker runs in this process.
        zendesk_budget_share: part of an account's plan (calls to Zendesk a minute) that this service takes at most,
            all replicas together; the customer's other apps have the rest.
        inputs_days: how long a decision can be decided again from what it was made from.
        status_days: how long agents' statuses that ended can be reported.
    """

    model_config = SettingsConfigDict(env_prefix="ASSIGNMENT_", extra="ignore", frozen=True)

    port: Port = 7003
    key_encryption_key_file: Path | None = None
    key_encryption_key: SecretStr | None = None
    minute_job: bool = True
    zendesk_budget_share: float = Field(default=0.5, gt=0, le=1)
    inputs_days: int = Field(default=90, ge=1, le=3650)
    status_days: int = Field(default=396, ge=1, le=3650)
