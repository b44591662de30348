"""Options of `[grpc-codegen]`."""

from __future__ import annotations

from pants.backend.python.subsystems.python_tool_base import LockfileRules, PythonToolRequirementsBase
from pants.option.option_types import StrListOption


class GrpcCodegen(PythonToolRequirementsBase):
    """The resolve with the compiler, and the script that drives it."""

    options_scope = "grpc-codegen"
    help = "Generates Python from protos with grpcio-tools and mypy-protobuf (`tools/protos/compile.py`)."

    default_version = "grpcio-tools"
    default_requirements = ("grpcio-tools", "mypy-protobuf", "protovalidate")
    register_interpreter_constraints = True
    default_lockfile_resource = ("codegen_grpc", "none.lock")  # never read: `install_from_resolve` is set
    lockfile_rules_type = LockfileRules.SIMPLE

    script = StrListOption(
        default=["tools/protos/compile.py", "tools/protos/descriptors.py", "tools/protos/__init__.py"],
        help="The script that generates (first), and the files that it imports.",
    )
