"""Verifying context tokens in a service: no call per token, keys and revocations from auth, successes cached."""

from __future__ import annotations

from datetime import timedelta

from libs.crypto.errors import InvalidTokenError
from libs.crypto.key_source import KeySource, ReloadingKeySet
from libs.crypto.revocations import Freshness, Revocations
from libs.crypto.success_cache import Success, SuccessCache
from libs.crypto.tokens import Claims, Profile, context_profile, verify
from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError


class ContextVerifier:
    """Verifies context tokens of one issuer.

    An unknown key id refuses at once and asks for new keys in the background: nobody waits for the network
    on the verify path, except the very first caller of a process that has no keys yet.

    Args:
        source: asks auth for the key set of context tokens.
        issuer: exact value of `iss`.
        clock: token times and key ages.
        revocations: what is revoked, kept by whoever follows the feed; None checks no generation.
        cache_size: successes kept.
    """

    def __init__(
        self,
        source: KeySource,
        issuer: str,
        clock: Clock,
        *,
        revocations: Revocations | None = None,
        cache_size: int = 10_000,
    ) -> None:
        self._issuer = issuer
        self._clock = clock
        self._cache = SuccessCache(cache_size)
        self._profiles: dict[str, Profile] = {}
        self.keys = ReloadingKeySet(source, clock)
        self.revocations = revocations
        if revocations is not None:
            revocations.on_revoked(self._cache.forget)
            revocations.on_key_set(self.keys.changed)

    @property
    def key_age(self) -> timedelta | None:
        """How old the key set is; None when there is none."""
        return self.keys.age

    @property
    def stale(self) -> bool:
        """Whether a token may have been revoked without our knowing: the feed is cut."""
        return self.revocations is not None and self.revocations.freshness is Freshness.STALE

    async def probe(self) -> str | None:
        """Return why no token can be verified now, None when they can; for readiness.

        A feed that is cut later does not make a service unready: it refuses what needs certainty, call by call.
        """
        if self.keys.age is None:
            await self.keys.reload()
        if self.keys.age is None:
            return self.keys.problem
        if self.revocations is not None and self.revocations.freshness is Freshness.UNKNOWN:
            return "what is revoked is not known yet"
        return None

    async def watch(self) -> None:
        """Keep the keys fresh, for ever; a background task of the process."""
        await self.keys.watch()

    async def verify(self, token: str, audience: str) -> Claims:
        """Return what a context token for `audience` says.

        Raises:
            InvalidTokenError: for whatever cause (an UnauthenticatedError).
            DependencyUnavailableError: there is no key set to verify with, or what is revoked is not known yet.
        """
        revocations, now = self.revocations, self._clock.now()
        if revocations is not None and not revocations.begun:
            raise DependencyUnavailableError("what is revoked is not known yet", retry_after_seconds=1.0)
        keys = self.keys.fresh(now) or await self.keys.current()
        known = self._cache.get(token, audience, now)
        if known is not None:
            if known.keys is not keys and known.kid not in keys:
                self._cache.drop(token, audience)
                raise InvalidTokenError("unknown_kid", kid=known.kid)
            if revocations is not None and (
                known.kid in revocations.distrusted
                or known.generation < revocations.generations.get(known.account, 0)
            ):
                self._cache.drop(token, audience)
                raise InvalidTokenError("revoked", kid=known.kid)
            return known.claims
        try:
            claims = verify(token, keys, self._profile(audience), now)
        except InvalidTokenError as error:
            if error.cause == "unknown_kid":
                self.keys.unknown_kid()
            raise
        if revocations is not None and (
            claims.kid in revocations.distrusted or claims.generation < revocations.generation(claims.account)
        ):
            raise InvalidTokenError("revoked", kid=claims.kid)
        self._cache.put(token, audience, Success.of(claims, keys, now))
        return claims

    def _profile(self, audience: str) -> Profile:
        if audience not in self._profiles:
            self._profiles[audience] = context_profile(self._issuer, audience)
        return self._profiles[audience]
