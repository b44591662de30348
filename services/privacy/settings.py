"""Privacy's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from libs.settings.service import Port, Seconds, ServiceSettings


class PrivacySettings(ServiceSettings):
    """Settings of privacy.

    Attributes:
        key_encryption_key_file: base64 of 32 bytes; wraps the keys of snapshots, of keyed hashes and of
            certificates. Losing it loses the ledger's key: no restore could be replayed any more.
        poll_seconds: how soon a replica finds what another one left.
        zendesk_quiet_seconds: how long no product of Zendesk may begin anew after all are complete, before a
            deletion counts as done; a day where certificates must bear it (the list of products is not
            published).
    """

    model_config = SettingsConfigDict(env_prefix="PRIVACY_", extra="ignore", frozen=True)

    port: Port = 7004
    key_encryption_key_file: Path | None = None
    key_encryption_key: SecretStr | None = None
    poll_seconds: Seconds = 1.0
    zendesk_quiet_seconds: Annotated[float, Field(ge=0)] = 0.0
