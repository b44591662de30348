"""One rule: from a `.proto` target to its Python.

Target types, inference of imports and the map from modules to targets are Pants' own; only its rule that
downloads protoc is replaced.
"""

from __future__ import annotations

from pants.backend.codegen.protobuf.python.additional_fields import PythonSourceRootField
from pants.backend.codegen.protobuf.target_types import ProtobufSourceField
from pants.backend.python.target_types import PythonSourceField
from pants.backend.python.util_rules import pex
from pants.backend.python.util_rules.pex import PexRequest, VenvPex, VenvPexProcess
from pants.core.util_rules.source_files import SourceFilesRequest
from pants.core.util_rules.stripped_source_files import StrippedSourceFiles
from pants.engine.fs import (
    AddPrefix,
    Digest,
    GlobMatchErrorBehavior,
    MergeDigests,
    PathGlobs,
    RemovePrefix,
    Snapshot,
)
from pants.engine.process import ProcessResult
from pants.engine.rules import Get, MultiGet, collect_rules, rule
from pants.engine.target import (
    GeneratedSources,
    GenerateSourcesRequest,
    TransitiveTargets,
    TransitiveTargetsRequest,
)
from pants.engine.unions import UnionRule
from pants.source.source_root import SourceRoot, SourceRootRequest
from pants.util.logging import LogLevel

from codegen_grpc.subsystem import GrpcCodegen

OUT = "_generated"
PROTOS = "_protos"


class GeneratePythonRequest(GenerateSourcesRequest):
    """Python out of a proto."""

    input = ProtobufSourceField
    output = PythonSourceField


@rule(desc="Generate Python from protos with grpcio-tools", level=LogLevel.DEBUG)
async def generate_python(request: GeneratePythonRequest, tool: GrpcCodegen) -> GeneratedSources:
    """The target's own proto is compiled; those it imports are only there to be looked at."""
    closure = await Get(TransitiveTargets, TransitiveTargetsRequest([request.protocol_target.address]))
    # Source roots are stripped, so that one folder is the import path of all protos.
    every, own, compiler, script = await MultiGet(
        Get(
            StrippedSourceFiles,
            SourceFilesRequest(
                target[ProtobufSourceField]
                for target in closure.closure
                if target.has_field(ProtobufSourceField)
            ),
        ),
        Get(StrippedSourceFiles, SourceFilesRequest([request.protocol_target[ProtobufSourceField]])),
        Get(VenvPex, PexRequest, tool.to_pex_request()),
        Get(
            Digest,
            PathGlobs(
                tool.script,
                glob_match_error_behavior=GlobMatchErrorBehavior.error,
                description_of_origin="the option `[grpc-codegen].script`",
            ),
        ),
    )
    protos = await Get(Digest, AddPrefix(every.snapshot.digest, PROTOS))
    result = await Get(
        ProcessResult,
        VenvPexProcess(
            compiler,
            argv=(tool.script[0], f"--out={OUT}", f"--path={PROTOS}", *own.snapshot.files),
            input_digest=await Get(Digest, MergeDigests((protos, script))),
            output_directories=(OUT,),
            description=f"Generate Python from {request.protocol_target.address}",
            level=LogLevel.DEBUG,
        ),
    )
    python_root = request.protocol_target.get(PythonSourceRootField).value
    bare, source_root = await MultiGet(
        Get(Digest, RemovePrefix(result.output_digest, OUT)),
        Get(
            SourceRoot,
            SourceRootRequest,
            SourceRootRequest.for_file(python_root)
            if python_root
            else SourceRootRequest.for_target(request.protocol_target),
        ),
    )
    if source_root.path == ".":
        return GeneratedSources(await Get(Snapshot, Digest, bare))
    return GeneratedSources(await Get(Snapshot, AddPrefix(bare, source_root.path)))


def rules():
    """The rule, in the place of Pants' own."""
    return [
        *collect_rules(),
        *pex.rules(),
        *GrpcCodegen.rules(),
        UnionRule(GenerateSourcesRequest, GeneratePythonRequest),
    ]
