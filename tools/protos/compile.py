"""Python, gRPC and type stubs out of protos: `python -m tools.protos.compile --out DIR --path ROOT FILE...`.

Our Pants plugin (pants-plugins/codegen_grpc) runs this file; run by hand it makes the same output for an
editor. With the first file comes `buf/validate/validate_pb2`, which no package on the index ships.
"""

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.protos.descriptors import VALIDATE, descriptor_set


def run_protoc(arguments: list[str]) -> None:
    """Runs the compiler that grpcio-tools ships; its messages go to stderr.

    Raises:
        SystemExit: with the compiler's exit code when it fails.
    """
    code: int = protoc.main(["protoc", *arguments])  # type: ignore[no-untyped-call]  # grpcio-tools has no types
    if code != 0:
        raise SystemExit(code)


def plugin(folder: Path, name: str, module: str, function: str) -> str:
    """The option that makes `name` a plugin; a script of its own, because a venv's `bin` may not be on PATH."""
    script = folder / name
    code = f"from {module} import {function}; {function}()"
    script.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)}\n")
    script.chmod(0o755)
    return f"--plugin={name}={script}"


def compile_protos(out: Path, root: Path, files: list[str]) -> None:
    """Compiles `files` (relative to `root`) into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        descriptors = folder / "deps.binpb"
        descriptors.write_bytes(descriptor_set())
        common = [
            f"--descriptor_set_in={descriptors}",
            f"-I{root}",
            plugin(folder, "protoc-gen-mypy", "mypy_protobuf.main", "main"),
            plugin(folder, "protoc-gen-mypy_grpc", "mypy_protobuf.main", "grpc"),
            f"--python_out={out}",
            f"--mypy_out=quiet:{out}",
        ]
        run_protoc([*common, VALIDATE])
        run_protoc([*common, f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet,async_only:{out}", *files])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--path", type=Path, default=Path(), help="folder that imports start from")
    parser.add_argument("files", nargs="+", help="protos, relative to the path")
    arguments = parser.parse_args()
    compile_protos(arguments.out, arguments.path, arguments.files)


if __name__ == "__main__":
    main()
