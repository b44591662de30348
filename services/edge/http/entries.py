"""Files of the operator that list who may come in: a JSON array, one entry per program."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from libs.kernel.strict_json import unique_members

T = TypeVar("T")


def read_entries(path: Path | None, read: Callable[[object, str], T]) -> list[T]:
    """Return what the entries of a file are; none without a file.

    Args:
        read: makes something of an entry; its second argument says where the entry stands.

    Raises:
        ValueError: it cannot be read; the message names the entry, never what is in it.
    """
    if path is None:
        return []
    try:
        entries = json.loads(path.read_text("utf-8"), object_pairs_hook=unique_members)
    except (OSError, ValueError) as error:
        raise ValueError(f"`{path}` cannot be read: {error}") from None
    if not isinstance(entries, list):
        raise ValueError(f"`{path}` holds no JSON array")
    return [read(entry, f"`{path}`, entry {place}") for place, entry in enumerate(entries)]
