"""`python -m services.x.migrate`: what a migration Job runs.

from libs.db.migrate_command import main

if __name__ == "__main__":
    raise SystemExit(main("services.x.migrations", "X_"))
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from sqlalchemy import exc

from libs.db.migrate import MigrationError, migrate, pending
from libs.db.urls import shown


def main(package: str, prefix: str, arguments: Sequence[str] | None = None) -> int:
    """Run the migrations of `package` on the database that `{prefix}DATABASE_URL` names.

    Args:
        package: the package that holds the scripts.
        prefix: of the service's settings, with its underscore.
        arguments: words of the command line; the process's by default.

    Returns:
        the exit code: 0 done (or, with `--check`, nothing to do), 1 failed or something to do, 2 bad
        settings.
    """
    variable = f"{prefix}DATABASE_URL"
    parser = argparse.ArgumentParser(
        prog=f"python -m {package.rpartition('.')[0]}.migrate",
        description=f"Bring the database that `{variable}` names to the newest schema.",
    )
    parser.add_argument(
        "--phase",
        choices=("pre", "all"),
        default="all",
        help="pre: only what must run before the new code; all: the scripts for after it too (default)",
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 when scripts are pending"
    )
    options = parser.parse_args(arguments)
    url = os.environ.get(variable)
    if not url:
        print(f"`{variable}` is not set", file=sys.stderr)  # noqa: T201 — a command's output
        return 2
    try:
        return _run(url, package, options)
    except ValueError as error:
        print(f"`{variable}`: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except MigrationError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    except exc.OperationalError as error:
        cause = str(error.orig).strip().splitlines()[0]
        print(f"the database at `{shown(url)}` does not answer: {cause}", file=sys.stderr)  # noqa: T201
        return 1


def _run(url: str, package: str, options: argparse.Namespace) -> int:
    if options.check:
        waiting = pending(url, package)
        print(f"{len(waiting)} pending: {' '.join(waiting) or 'none'}")  # noqa: T201
        return 1 if waiting else 0
    applied = migrate(url, package, phase=options.phase)
    print(f"{shown(url)}: applied {' '.join(applied) or 'nothing, it is up to date'}")  # noqa: T201
    return 0
