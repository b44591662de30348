"""Runs the checks named on the command line, all of them without names; exit code 1 when one fails.

./pants run tools/checks:checks
./pants run tools/checks:checks -- buf
./pants run tools/checks:checks -- accept-protos     # the contracts of a release become the baseline
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.checks.deployment import check_deployment
from tools.checks.failure import CheckFailedError
from tools.checks.imports import check_imports
from tools.checks.protos import accept_protos, check_protos

CHECKS: Mapping[str, Callable[[Path], str]] = {
    "imports": check_imports,
    "buf": check_protos,
    "deploy": check_deployment,
}
COMMANDS: Mapping[str, Callable[[Path], str]] = {**CHECKS, "accept-protos": accept_protos}


def main() -> int:
    """The command; run it at the root of the repository."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(COMMANDS)}")
    names = parser.parse_args().names or list(CHECKS)
    for name in names:
        if name not in COMMANDS:
            parser.error(f"unknown check `{name}`: use one of {', '.join(COMMANDS)}")
    root = Path.cwd()
    if not (root / "pants.toml").is_file():
        parser.error("run this at the root of the repository")
    failed = 0
    for name in names:
        try:
            print(f"{name}: {COMMANDS[name](root)}", flush=True)
        except CheckFailedError as error:
            failed += 1
            print(f"{name}: FAILED\n{error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
