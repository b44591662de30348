"""What Pants loads."""

from __future__ import annotations

from pants.backend.codegen.protobuf import protobuf_dependency_inference, tailor
from pants.backend.codegen.protobuf.python import (
    additional_fields,
    python_protobuf_module_mapper,
    python_protobuf_subsystem,
)
from pants.backend.codegen.protobuf.target_types import (
    ProtobufSourcesGeneratorTarget,
    ProtobufSourceTarget,
)
from pants.backend.codegen.protobuf.target_types import rules as target_rules
from pants.backend.python.dependency_inference import module_mapper
from pants.core.util_rules import stripped_source_files

from codegen_grpc.rules import rules as generation_rules


def rules():
    """Pants' protobuf backend for Python with our generation."""
    return [
        *additional_fields.rules(),
        *python_protobuf_subsystem.rules(),
        *generation_rules(),
        *python_protobuf_module_mapper.rules(),
        *protobuf_dependency_inference.rules(),
        *tailor.rules(),
        *target_rules(),
        *module_mapper.rules(),
        *stripped_source_files.rules(),
    ]


def target_types():
    """`protobuf_source` and `protobuf_sources`."""
    return [ProtobufSourcesGeneratorTarget, ProtobufSourceTarget]
