"""What Pants loads."""

from __future__ import annotations

from ruff_current import rules as ruff_rules
from ruff_current import subsystem


def rules():
    """The field and the goals."""
    return [*subsystem.rules(), *ruff_rules.rules()]
