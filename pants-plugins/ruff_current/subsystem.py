"""Options of `[ruff]` and the field that opts a target out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from pants.backend.python.subsystems.python_tool_base import LockfileRules, PythonToolBase
from pants.backend.python.target_types import (
    ConsoleScript,
    PythonSourceField,
    PythonSourcesGeneratorTarget,
    PythonSourceTarget,
    PythonTestsGeneratorTarget,
    PythonTestTarget,
    PythonTestUtilsGeneratorTarget,
)
from pants.core.util_rules.config_files import ConfigFilesRequest
from pants.engine.target import BoolField, FieldSet, Target
from pants.option.option_types import ArgsListOption, SkipOption


class SkipRuffField(BoolField):
    """Opts out."""

    alias = "skip_ruff"
    default = False
    help = "If true, ruff does not see this target."


@dataclass(frozen=True)
class RuffFieldSet(FieldSet):
    """Every Python file."""

    required_fields = (PythonSourceField,)

    source: PythonSourceField

    @classmethod
    def opt_out(cls, tgt: Target) -> bool:
        """Whether `skip_ruff` is set."""
        return tgt.get(SkipRuffField).value


class Ruff(PythonToolBase):
    """The linter and formatter."""

    options_scope = "ruff"
    name = "ruff"
    help = "The ruff linter and formatter (lint: `check`, fix: `check --fix`, fmt: `format`)."

    default_version = "ruff"
    default_main = ConsoleScript("ruff")
    default_requirements = ("ruff",)
    register_interpreter_constraints = True
    default_lockfile_resource = ("ruff_current", "none.lock")  # never read: `install_from_resolve` is set
    lockfile_rules_type = LockfileRules.SIMPLE

    skip = SkipOption("fmt", "fix", "lint")
    args = ArgsListOption(example="--ignore=E501")

    def config_request(self, folders: Iterable[str]) -> ConfigFilesRequest:
        """`pyproject.toml` at the root, `ruff.toml` in any folder on the way."""
        return ConfigFilesRequest(
            discovery=True,
            check_existence=["ruff.toml", *(str(PurePath(folder, "ruff.toml")) for folder in ("", *folders))],
            check_content={"pyproject.toml": b"[tool.ruff"},
        )


def rules():
    """The field on every Python target."""
    return [
        target.register_plugin_field(SkipRuffField)
        for target in (
            PythonSourcesGeneratorTarget,
            PythonSourceTarget,
            PythonTestsGeneratorTarget,
            PythonTestTarget,
            PythonTestUtilsGeneratorTarget,
        )
    ]
