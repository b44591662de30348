"""The contracts in protos/: buf's lint rules, and no change that breaks a caller of the last release."""

import tempfile
from pathlib import Path

from tools.checks.failure import CheckFailedError, run_tool, script
from tools.protos.compile import run_protoc
from tools.protos.descriptors import descriptor_set

BASELINE = Path("protos/baseline.binpb")


def compile_image(root: Path, image: Path, *, comments: bool) -> int:
    """Compiles every proto of the tree into one image with its imports; returns how many there were."""
    protos = root / "protos"
    files = sorted(path.relative_to(protos).as_posix() for path in protos.rglob("*.proto"))
    descriptors = image.with_name("deps.binpb")
    descriptors.write_bytes(descriptor_set())
    options = [f"--descriptor_set_in={descriptors}", f"-I{protos}", "--include_imports"]
    if comments:
        options.append("--include_source_info")
    try:
        run_protoc([*options, f"--descriptor_set_out={image}", *files])
    except SystemExit:
        raise CheckFailedError("protoc refuses the protos, see above") from None
    return len(files)


def check_protos(root: Path) -> str:
    """`buf lint` (STANDARD, COMMENTS) and `buf breaking` (FILE) by the rules of buf.yaml.

    Raises:
        CheckFailedError: a rule is broken, or protoc does not accept a file.
    """
    buf = script("buf")
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.binpb"
        count = compile_image(root, image, comments=True)
        run_tool([buf, "lint", image], root)
        run_tool([buf, "breaking", image, "--against", root / BASELINE], root)
    return f"{count} protos: lint clean, nothing broken since the baseline"


def accept_protos(root: Path) -> str:
    """Makes today's contracts the baseline; done at a release."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.binpb"
        count = compile_image(root, image, comments=False)
        (root / BASELINE).write_bytes(image.read_bytes())
    return f"{count} protos are the baseline now"
