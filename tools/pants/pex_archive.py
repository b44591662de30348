"""Rewrites a PEX so that it is the same, byte for byte, on every machine: `pex_archive.py SOURCE TARGET`.

Runs on the bare Python 3.9 that Pants runs on; prints the line that `pants.pypi.toml` pins.
"""

import hashlib
import sys
import zipfile
from pathlib import Path

SHEBANG = b"#!/usr/bin/env python3.9\n"
EPOCH = (1980, 1, 1, 0, 0, 0)


def rewrite(source: Path, target: Path) -> None:
    """Stores the members of `source` sorted, uncompressed, undated and with fixed permissions in `target`."""
    with zipfile.ZipFile(source) as archive, target.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as normal:
            for name in sorted(archive.namelist()):
                member = zipfile.ZipInfo(name, EPOCH)
                member.create_system = 3
                member.external_attr = (0o40755 << 16 | 0x10) if name.endswith("/") else (0o100644 << 16)
                normal.writestr(member, archive.read(name))
    target.chmod(0o755)


def main() -> None:
    """Rewrites and reports the SHA-256 and the length in bytes."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    rewrite(source, target)
    content = target.read_bytes()
    sys.stderr.write(f"pants: pex {hashlib.sha256(content).hexdigest()}|{len(content)}\n")


if __name__ == "__main__":
    main()
