"""Who may import whom: the contracts of `[tool.importlinter]` in pyproject.toml."""

import sys
from pathlib import Path

from tools.checks.failure import run_tool

# A process of its own, in whose path the checkout comes first: this program may run out of a PEX that holds a
# part of `tools`.
_PROGRAM = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def check_imports(root: Path) -> str:
    """Checks every contract; returns the closing line.

    Raises:
        CheckFailedError: a contract is broken; the text names the imports.
    """
    report = run_tool([sys.executable, "-c", _PROGRAM], root)
    return report.strip().splitlines()[-1]
