"""Envelope encryption whose keys live as long as the process."""

from __future__ import annotations

import secrets

from libs.crypto.data_keys import DataKeys, MemoryDataKeys
from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.crypto.key_providers import KEY_BYTES


def memory_sealer(data_keys: DataKeys | None = None) -> Envelope:
    """Return a sealer: real AES-256-GCM under a key that nobody else has."""
    return Envelope(LocalKeyProvider([secrets.token_bytes(KEY_BYTES)]), data_keys or MemoryDataKeys())
