"""A key set that comes from elsewhere and is kept fresh.

Rules: reload every 5 minutes, one request at a time; an unknown `kid` buys at most one early request per
10 s; a bad or empty answer keeps the old set; the last good set serves for 24 h without its source. Ages are
taken from the injected clock, so that a demo that jumps a day ahead also reloads.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from libs.crypto.errors import InvalidKeySetError
from libs.crypto.keys import KeySet
from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError, SetlistError

_TRY_AGAIN_SECONDS: Final = 2.0
_ZERO: Final = timedelta(0)

KeySource = Callable[[], Awaitable[KeySet | str | bytes | Mapping[str, object]]]
"""Asks for the key set: a JWK Set document, or a set that is read already. May raise anything."""


class ReloadingKeySet:
    """The newest good key set of one issuer and kind.

    Args:
        source: asks the issuer; it bounds its own time.
        clock: for ages.
        reload_after: age at which a fresh set is asked for.
        refuse_after: age at which the set no longer serves.
        early_interval: between two requests that unknown ids caused.
    """

    def __init__(
        self,
        source: KeySource,
        clock: Clock,
        *,
        reload_after: timedelta = timedelta(minutes=5),
        refuse_after: timedelta = timedelta(hours=24),
        early_interval: timedelta = timedelta(seconds=10),
    ) -> None:
        self._source = source
        self._clock = clock
        self._reload_after = reload_after
        self._refuse_after = refuse_after
        self._early_interval = early_interval
        self._keys: KeySet | None = None
        self._loaded_at: datetime | None = None
        self._reload_at = datetime.min.replace(tzinfo=UTC)
        self._asked_at: datetime | None = None
        self._request: asyncio.Task[None] | None = None
        self._changed = False
        self.problem: str | None = "no key set was loaded yet"

    @property
    def age(self) -> timedelta | None:
        """How old the set is, for metrics and readiness; None when there is none."""
        return None if self._loaded_at is None else self._clock.now() - self._loaded_at

    def fresh(self, now: datetime) -> KeySet | None:
        """Return the set while it is young enough not to be asked for again, else None."""
        since = self._loaded_at
        return self._keys if since is not None and since <= now < self._reload_at else None

    async def current(self) -> KeySet:
        """Return a set that may serve; ask for one, and wait, only when there is none.

        Raises:
            DependencyUnavailableError: there is none.
        """
        if (keys := self.fresh(self._clock.now())) is not None:
            return keys
        keys = self._keys
        if keys is None or not self._fits(self._refuse_after):
            await self.reload()
            if self._keys is None or not self._fits(self._refuse_after):
                raise DependencyUnavailableError("the key set of the token issuer cannot be had")
            return self._keys
        self._ask_again()
        return keys

    def unknown_kid(self) -> None:
        """Ask in the background whether there are new keys; at most once per `early_interval`."""
        self._ask_again()

    def changed(self) -> None:
        """Ask in the background: the issuer says that the set is another one now.

        A request that is under way may have been answered before the change, so another one follows it.
        """
        if self._request is not None and not self._request.done():
            self._changed = True
        else:
            self._begin()

    async def reload(self) -> None:
        """Ask now; callers at the same time share one request. A failure keeps the old set."""
        await asyncio.shield(self._begin())

    async def watch(self) -> None:
        """Reload before the set gets old, for ever; a background task of the process."""
        while True:
            await self.reload()
            seconds = self._reload_after.total_seconds() / 2 if self.problem is None else _TRY_AGAIN_SECONDS
            await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - replicas should not march in step

    def _fits(self, limit: timedelta) -> bool:
        age = self.age
        return age is not None and _ZERO <= age < limit

    def _ask_again(self) -> None:
        now = self._clock.now()
        if self._asked_at is None or not timedelta(0) <= now - self._asked_at < self._early_interval:
            self._begin()

    def _begin(self) -> asyncio.Task[None]:
        if self._request is None or self._request.done():
            self._asked_at = self._clock.now()
            self._request = asyncio.create_task(self._ask())
        return self._request

    async def _ask(self) -> None:
        await self._ask_once()
        while self._changed:
            self._changed = False
            await self._ask_once()

    async def _ask_once(self) -> None:
        try:
            answer = await self._source()
            self._keys = answer if isinstance(answer, KeySet) else KeySet.from_jwks(answer)
        except InvalidKeySetError as error:
            self.problem = f"the issuer's key set was refused: {error}"
        except SetlistError as error:
            self.problem = f"the issuer's key set cannot be had: {error}"
        except Exception as error:  # the source is foreign code; whatever it is, the old set stays
            self.problem = f"the issuer's key set cannot be had: {type(error).__name__}"
        else:
            self._loaded_at = self._clock.now()
            self._reload_at = self._loaded_at + self._reload_after
            self.problem = None
