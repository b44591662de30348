"""How policy behaves for one account."""

from __future__ import annotations

from dataclasses import replace

from libs.kernel.clock import Clock
from libs.kernel.errors import EtagMismatchError, FieldViolation, InvalidRequestError
from libs.kernel.ids import AccountId
from services.policy.app.ports import AccountSettings, Store, UnchangedError

MAXIMUM_DAYS = 365
MAXIMUM_AUDITED = 100


class ManageSettings:
    """Reads and changes an account's settings."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def get(self, account: AccountId) -> AccountSettings:
        """Return the settings; defaults for an account that never changed any."""
        async with self._store.snapshot(account) as tx:
            return await tx.settings()

    async def update(
        self,
        account: AccountId,
        given: dict[str, object],
        etag: str = "",
        *,
        actor: str = "",
        validate_only: bool = False,
    ) -> tuple[AccountSettings, int]:
        """Change settings; return them and the revision.

        Args:
            given: fields of `AccountSettings` that change.
            etag: the version that was read; empty = any.

        Raises:
            InvalidRequestError: a value is out of its range.
            EtagMismatchError: the settings have another version.
        """
        settings = AccountSettings()
        try:
            async with self._store.transaction(account) as tx:
                revision = await tx.next_revision(actor, self._clock.now())
                before = await tx.settings()
                if etag and etag != str(before.version):
                    name = f"accounts/{account}/policySettings"
                    raise EtagMismatchError(
                        "the settings changed since they were read", metadata={"name": name}
                    )
                settings = replace(before, **given)  # type: ignore[arg-type]  # the fields' own types
                _require_fit(settings)
                if validate_only or settings == before:
                    raise UnchangedError(revision - 1)
                await tx.put_settings(settings)
        except UnchangedError as unchanged:
            return settings, unchanged.revision
        return replace(settings, version=settings.version + 1), revision


def _require_fit(settings: AccountSettings) -> None:
    faults = [
        FieldViolation(f"settings.{name}", f"is not 1 to {MAXIMUM_DAYS}")
        for name in ("history_days", "log_days")
        if not 1 <= getattr(settings, name) <= MAXIMUM_DAYS
    ]
    if not 0 <= settings.log_share <= 1:
        faults.append(FieldViolation("settings.log_share", "is not 0 to 1"))
    if len(settings.audited_types) > MAXIMUM_AUDITED or any(
        not t or len(t) > 64 or "\0" in t for t in settings.audited_types
    ):
        faults.append(FieldViolation("settings.audited_types", f"are not at most {MAXIMUM_AUDITED} keys"))
    if faults:
        raise InvalidRequestError(f"`{faults[0].field}` {faults[0].description}", violations=faults)
