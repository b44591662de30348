"""lint, fix and fmt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.backend.python.util_rules import pex
from pants.backend.python.util_rules.pex import PexRequest, VenvPex, VenvPexProcess
from pants.core.goals.fix import FixResult, FixTargetsRequest
from pants.core.goals.fmt import FmtResult, FmtTargetsRequest
from pants.core.goals.lint import LintResult, LintTargetsRequest
from pants.core.util_rules.config_files import ConfigFiles, ConfigFilesRequest
from pants.core.util_rules.partitions import PartitionerType
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.fs import Digest, MergeDigests
from pants.engine.internals.native_engine import Snapshot
from pants.engine.process import FallibleProcessResult
from pants.engine.rules import Get, MultiGet, collect_rules, rule
from pants.util.logging import LogLevel
from pants.util.meta import classproperty
from pants.util.strutil import pluralize

from ruff_current.subsystem import Ruff, RuffFieldSet


class RuffLintRequest(LintTargetsRequest):
    """`ruff check`."""

    field_set_type = RuffFieldSet
    tool_subsystem = Ruff
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION


class RuffFixRequest(FixTargetsRequest):
    """`ruff check --fix`."""

    field_set_type = RuffFieldSet
    tool_subsystem = Ruff
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    @classproperty
    def tool_name(cls) -> str:
        """Its name in the report."""
        return "ruff check --fix"

    @classproperty
    def tool_id(cls) -> str:
        """Its name among options."""
        return "ruff-check"


class RuffFormatRequest(FmtTargetsRequest):
    """`ruff format`."""

    field_set_type = RuffFieldSet
    tool_subsystem = Ruff
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    @classproperty
    def tool_name(cls) -> str:
        """Its name in the report."""
        return "ruff format"

    @classproperty
    def tool_id(cls) -> str:
        """Its name among options."""
        return "ruff-format"


@dataclass(frozen=True)
class RuffRun:
    """One call of ruff on some files."""

    snapshot: Snapshot
    command: tuple[str, ...]


@rule(level=LogLevel.DEBUG)
async def run_ruff(request: RuffRun, ruff: Ruff) -> FallibleProcessResult:
    """Runs it where its configuration and the files are."""
    tool, config = await MultiGet(
        Get(VenvPex, PexRequest, ruff.to_pex_request()),
        Get(ConfigFiles, ConfigFilesRequest, ruff.config_request(request.snapshot.dirs)),
    )
    return await Get(
        FallibleProcessResult,
        VenvPexProcess(
            tool,
            argv=(*request.command, "--no-cache", "--force-exclude", *ruff.args, *request.snapshot.files),
            input_digest=await Get(Digest, MergeDigests((request.snapshot.digest, config.snapshot.digest))),
            output_files=request.snapshot.files,
            description=f"Run ruff {' '.join(request.command)} on {pluralize(len(request.snapshot.files), 'file')}",
            level=LogLevel.DEBUG,
        ),
    )


@rule(desc="Lint with ruff", level=LogLevel.DEBUG)
async def lint(request: RuffLintRequest.Batch[RuffFieldSet, Any]) -> LintResult:
    """Reports, changes nothing."""
    sources = await Get(SourceFiles, SourceFilesRequest(field_set.source for field_set in request.elements))
    result = await Get(FallibleProcessResult, RuffRun(sources.snapshot, ("check", "--quiet")))
    return LintResult.create(request, result, strip_chroot_path=True)


@rule(desc="Fix with ruff", level=LogLevel.DEBUG)
async def fix(request: RuffFixRequest.Batch) -> FixResult:
    """Applies the safe fixes."""
    result = await Get(FallibleProcessResult, RuffRun(request.snapshot, ("check", "--quiet", "--fix")))
    return await FixResult.create(request, result, strip_chroot_path=True)


@rule(desc="Format with ruff", level=LogLevel.DEBUG)
async def fmt(request: RuffFormatRequest.Batch) -> FmtResult:
    """Formats."""
    result = await Get(FallibleProcessResult, RuffRun(request.snapshot, ("format", "--quiet")))
    return await FmtResult.create(request, result, strip_chroot_path=True)


def rules():
    """The three goals."""
    return [
        *collect_rules(),
        *RuffLintRequest.rules(),
        *RuffFixRequest.rules(),
        *RuffFormatRequest.rules(),
        *pex.rules(),
    ]
