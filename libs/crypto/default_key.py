"""The key-encryption key of a process: from its settings, or made and kept beside its database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from libs.crypto.key_providers import EnvironmentKeyProvider, FileKeyProvider, KeyProvider, new_key_text
from libs.telemetry.logs import get_logger


def key_provider(variable: str, given: bool, path: Path | None, folder: Callable[[], Path]) -> KeyProvider:
    """Return the provider.

    Args:
        variable: environment variable that may hold the key.
        given: whether it does.
        path: file that holds the key; None = a file in `folder`, made when missing.
        folder: makes and returns where an embedded start keeps its files.
    """
    if given:
        return EnvironmentKeyProvider(variable)
    if path is None:
        path = folder() / "key-encryption-key"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(new_key_text())
        get_logger().info("no key-encryption key is set: using a file", path=str(path))
    return FileKeyProvider(path)
