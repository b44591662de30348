"""The protos that ours import, as descriptors out of installed packages (no vendored `.proto` files)."""

import importlib

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor
from protovalidate._gen.buf.validate import validate_pb  # private: the version is pinned, tests would tell

VALIDATE = "buf/validate/validate.proto"

MODULES = (
    *(
        f"google.protobuf.{name}_pb2"
        for name in (
            "descriptor",
            "any",
            "duration",
            "empty",
            "field_mask",
            "struct",
            "timestamp",
            "wrappers",
        )
    ),
    *(
        f"google.api.{name}_pb2"
        for name in ("annotations", "client", "field_behavior", "field_info", "resource")
    ),
    "google.longrunning.operations_pb2",
    *(f"google.rpc.{name}_pb2" for name in ("code", "error_details", "status")),
)


def descriptor_set() -> bytes:
    """A serialised `FileDescriptorSet`, dependencies first, for protoc's `--descriptor_set_in`."""
    result = descriptor_pb2.FileDescriptorSet()
    seen: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name in seen:
            return
        seen.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        file.CopyToProto(result.file.add())

    for module in MODULES:
        add(importlib.import_module(module).DESCRIPTOR)
    result.file.add().MergeFromString(validate_pb._DESC.proto.to_binary())  # noqa: SLF001 - see the import
    return result.SerializeToString()
