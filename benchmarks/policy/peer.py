"""Starts the program of `benchmarks/policy/peers`, and Cerbos; says how to get them when they are not here."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peer_program import PeerProgram

PEERS = Path("dist/benchmarks.policy.peers/main.pex")
CERBOS = Path("dist/cerbos/node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64")
HOW_PEERS = "`./pants package benchmarks/policy/peers` makes it"
HOW_CERBOS = "`npm install --prefix dist/cerbos @cerbos/cerbos-linux-x64@0.55.0` gets it; or --cerbos FILE"
_START_SECONDS = 30.0


class Peers(PeerProgram):
    """The program that has the peers' packages; its argument is `cedar` or `cerbos`."""

    def encode(self, requests: Sequence[dict[str, Any]]) -> list[bytes]:
        """Return Cerbos' requests as it takes them."""
        return [base64.b64decode(one) for one in self.ask({"encode": list(requests)})["encoded"]]

    def decode(self, answers: Sequence[bytes]) -> list[list[bool]]:
        """Return what Cerbos answered, one per resource."""
        raw = [base64.b64encode(one).decode() for one in answers]
        decoded: list[list[bool]] = self.ask({"decode": raw})["decoded"]
        return decoded


@contextmanager
def cerbos(program: Path, policies: dict[str, Any], folder: Path, port: int, http_port: int) -> Iterator[int]:
    """Run Cerbos on the loopback with policies; yield its process id.

    Raises:
        RuntimeError: it does not come up.
    """
    where = folder / "policies"
    where.mkdir()
    for name, policy in policies.items():
        (where / f"{name}.json").write_text(json.dumps(policy))
    config = {
        "server": {"httpListenAddr": f"127.0.0.1:{http_port}", "grpcListenAddr": f"127.0.0.1:{port}"},
        "storage": {"driver": "disk", "disk": {"directory": str(where), "watchForChanges": False}},
        "audit": {"enabled": False},
        "telemetry": {"disabled": True},
    }
    (folder / "cerbos.json").write_text(json.dumps(config))
    log = folder / "cerbos.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program.resolve(), "server", f"--config={folder / 'cerbos.json'}"], stdout=output, stderr=output
        )
    try:
        end = time.monotonic() + _START_SECONDS
        while "Starting gRPC server" not in log.read_text():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"cerbos did not come up: {log.read_text()[-500:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)
