"""Verifies tokens, and compares with the bare primitive and with PyJWT's whole decode.

Everything runs in one process, in turns, so that a busy machine slows all of it alike; the figure to compare is the
ratio, best against best.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from libs.crypto.context import ContextVerifier
from libs.crypto.keys import KeySet
from libs.crypto.revocations import Revocations
from libs.crypto.signer import Signer
from libs.crypto.token_text import decode_segment
from libs.crypto.tokens import CONTEXT_TYP, context_profile, verify
from libs.kernel.clock import SystemClock

ISSUER = "https://auth.setlist.local"
_ES256 = ec.ECDSA(hashes.SHA256())


def token(signer: Signer) -> str:
    """Return a context token as auth makes them, good for a minute."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": "policy",
        "sub": "user:900000000123",
        "tid": "acc-01ke6p4ym0mrgnnkc1k4h4hgr2",
        "ins": "900000000055",
        "gen": 3,
        "jti": "tok-01ke6p4ym0gk65rw3y5q6nkxkt",
        "iat": now,
        "exp": now + 60,
        "peer": "edge",
        "role": "admin",
    }
    return signer.sign(claims, CONTEXT_TYP)


def primitive(signer: Signer, text: str) -> Callable[[], object]:
    """Return the bare check of the signature: key loaded, signature in the form the library wants."""
    signing_input, _, signature = text.rpartition(".")
    message, raw, key = signing_input.encode(), decode_segment(signature), signer.public_key().key
    if isinstance(key, Ed25519PublicKey):
        return lambda: key.verify(raw, message)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    return lambda: key.verify(der, message, _ES256)


def in_turns(cases: dict[str, Callable[[], object]], rounds: int, number: int) -> dict[str, list[float]]:
    """Return seconds per call of every case and round."""
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            began = time.perf_counter()
            for _ in range(number):
                case()
            taken[name].append((time.perf_counter() - began) / number)
    return taken


async def hits(signer: Signer, rounds: int, number: int) -> list[float]:
    """Return seconds per verification that finds its success in the cache, generation check and all."""

    async def source() -> KeySet:
        return KeySet([signer.public_key()])

    revocations = Revocations()
    revocations.begin(0)
    verifier = ContextVerifier(source, ISSUER, SystemClock(), revocations=revocations)
    text = token(signer)
    taken = []
    for _ in range(rounds):
        copy = "".join(text)  # a token of another request is another object
        await verifier.verify(copy, "policy")
        began = time.perf_counter()
        for _ in range(number):
            await verifier.verify(copy, "policy")
        taken.append((time.perf_counter() - began) / number)
    return taken


def show(name: str, taken: list[float], base: float | None) -> None:
    """Print one line: best, median, best against the base."""
    ratio = "" if base is None else f"{min(taken) / base:8.3f}"
    print(f"{name:42s}{min(taken) * 1e6:10.2f}{statistics.median(taken) * 1e6:10.2f}{ratio:>8s}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40, help="rounds of each case (default: 40)")
    parser.add_argument("--number", type=int, default=200, help="calls in one round (default: 200)")
    given = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, PyJWT {jwt.__version__}, {given.rounds} x {given.number} calls")
    print(f"{'microseconds per call':42s}{'best':>10s}{'median':>10s}{'ratio':>8s}")
    profile, raw = context_profile(ISSUER, "policy"), 0.0
    for algorithm in ("ES256", "EdDSA"):
        signer = Signer.generate("ctx-1", algorithm)
        text, keys = token(signer), KeySet([signer.public_key()])
        public, now = signer.public_key().key, datetime.now(UTC)

        def ours(text: str = text, keys: KeySet = keys, now: datetime = now) -> object:
            return verify(text, keys, profile, now)

        def decode(text: str = text, public: object = public, algorithm: str = algorithm) -> object:
            return jwt.decode(text, public, [algorithm], audience="policy", issuer=ISSUER)  # type: ignore[arg-type]  # a public key of either kind

        cases = {"raw": primitive(signer, text), "ours": ours, "PyJWT": decode}
        taken = in_turns(cases, given.rounds, given.number)
        best = min(taken["raw"])
        raw = raw or best
        show(f"{algorithm} raw primitive", taken["raw"], None)
        show(f"{algorithm} verify, every rule", taken["ours"], best)
        show(f"{algorithm} PyJWT decode", taken["PyJWT"], best)
    found = asyncio.run(hits(Signer.generate("ctx-1"), given.rounds, given.number * 10))
    show("cache hit, generation and key re-checked", found, raw)


if __name__ == "__main__":
    main()
