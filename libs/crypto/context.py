"""Verifying context tokens in a service: no call per token, keys from auth, successes cached."""

from __future__ import annotations

from datetime import timedelta

from libs.crypto.errors import InvalidTokenError
from libs.crypto.key_source import KeySource, ReloadingKeySet
from libs.crypto.keys import KeySet
from libs.crypto.success_cache import SuccessCache
from libs.crypto.tokens import Claims, MinimumGeneration, Profile, context_profile, verify
from libs.kernel.clock import Clock


class ContextVerifier:
    """Verifies context tokens of one issuer.

    An unknown key id refuses at once and asks for new keys in the background: nobody waits for the network
    on the verify path, except the very first caller of a process that has no keys yet.

    Args:
        source: asks auth for the key set of context tokens.
        issuer: exact value of `iss`.
        clock: token times and key ages.
        minimum_generation: what is revoked, from the revocation feed; None checks no generation.
        cache_size: successes kept.
    """

    def __init__(
        self,
        source: KeySource,
        issuer: str,
        clock: Clock,
        *,
        minimum_generation: MinimumGeneration | None = None,
        cache_size: int = 10_000,
    ) -> None:
        self._issuer = issuer
        self._clock = clock
        self._minimum_generation = minimum_generation
        self._cache = SuccessCache(cache_size)
        self._profiles: dict[str, Profile] = {}
        self.keys = ReloadingKeySet(source, clock)

    @property
    def key_age(self) -> timedelta | None:
        """How old the key set is; None when there is none."""
        return self.keys.age

    async def probe(self) -> str | None:
        """Return why no token can be verified now, None when they can; for readiness."""
        if self.keys.age is None:
            await self.keys.reload()
        return self.keys.problem if self.keys.age is None else None

    async def watch(self) -> None:
        """Keep the keys fresh, for ever; a background task of the process."""
        await self.keys.watch()

    async def verify(self, token: str, audience: str) -> Claims:
        """Return what a context token for `audience` says.

        Raises:
            InvalidTokenError: for whatever cause (an UnauthenticatedError).
            DependencyUnavailableError: there is no key set to verify with.
        """
        keys = await self.keys.current()
        now = self._clock.now()
        if (known := self._cache.get(token, audience, now)) is not None:
            self._recheck(known, keys, token, audience)
            return known
        try:
            claims = verify(token, keys, self._profile(audience), now, self._minimum_generation)
        except InvalidTokenError as error:
            if error.cause == "unknown_kid":
                self.keys.unknown_kid()
            raise
        self._cache.put(token, audience, claims, now)
        return claims

    def _profile(self, audience: str) -> Profile:
        if audience not in self._profiles:
            self._profiles[audience] = context_profile(self._issuer, audience)
        return self._profiles[audience]

    def _recheck(self, claims: Claims, keys: KeySet, token: str, audience: str) -> None:
        trusted = claims.kid in keys
        least = self._minimum_generation
        if trusted and (least is None or claims.generation >= least(claims.account, claims.installation)):
            return
        self._cache.forget(token, audience)
        raise InvalidTokenError("revoked" if trusted else "unknown_kid", kid=claims.kid)
