"""RPCs that stream what changes, and the account's settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from libs.decision.rows import RelationshipRow
from libs.decision.wire import encode
from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.ids import AccountId, account_name, account_of
from services.policy.app.watch import Seen
from services.policy.rpc.callers import actor, require_admin, require_plain, require_staff
from services.policy.rpc.mapping import flip_message, relationship_message, settings_message
from services.policy.rpc.use_cases import Methods
from setlist.policy.v1 import policy_service_pb2 as messages

_SETTINGS = ("lenient_patches", "history_days", "log_days", "log_share", "audited_types")


class StreamMethods(Methods):
    """For admins and services: they are about everybody."""

    async def WatchRelationships(
        self, request: messages.WatchRelationshipsRequest, context: Any
    ) -> AsyncIterator[messages.WatchRelationshipsResponse]:
        require_admin()
        for name in request.types:
            require_plain(types=name)
        account = account_of(request.parent)
        after = self._use.tokens.revision(account, request.after, "after") if request.after else None
        watch = self._use.watch.permissions if request.permissions else self._use.watch.relationships
        async for seen in watch(account, after, frozenset(request.types)):
            for message in self._watched(account, seen):
                yield message

    def _watched(self, account: AccountId, seen: Seen) -> list[messages.WatchRelationshipsResponse]:
        parent, written = account_name(account), seen.written
        found = [
            messages.WatchRelationshipsResponse(
                relationship=relationship_message(parent, change.row), deleted=change.gone
            )
            for change in seen.changes
            if isinstance(change.row, RelationshipRow)
        ]
        found += [messages.WatchRelationshipsResponse(flip=flip_message(flip)) for flip in seen.flips]
        found = found or [messages.WatchRelationshipsResponse()]
        for message in found:
            message.token, message.revision = self._token(account, seen.revision), seen.revision
            if written:
                message.time.FromDatetime(written.at)
                message.actor = written.actor
        return found

    async def ReadChanges(
        self, request: messages.ReadChangesRequest, context: Any
    ) -> AsyncIterator[messages.ReadChangesResponse]:
        require_admin()
        if request.after_revision < 0:
            fault = FieldViolation("after_revision", "is negative")
            raise InvalidRequestError(f"`after_revision` {fault.description}", violations=[fault])
        account = account_of(request.parent)
        async for part in self._use.watch.copies(account, request.after_revision):
            yield messages.ReadChangesResponse(
                revision=part.revision,
                change=encode(part.changes) if part.changes else b"",
                token=self._token(account, part.revision),
                snapshot=part.snapshot,
                complete=part.complete,
            )

    async def GetPolicySettings(
        self, request: messages.GetPolicySettingsRequest, context: Any
    ) -> messages.GetPolicySettingsResponse:
        require_staff()
        account = account_of(request.name)
        settings = await self._use.settings.get(account)
        return messages.GetPolicySettingsResponse(settings=settings_message(account_name(account), settings))

    async def UpdatePolicySettings(
        self, request: messages.UpdatePolicySettingsRequest, context: Any
    ) -> messages.UpdatePolicySettingsResponse:
        require_admin()
        given = request.settings
        parts = given.name.split("/")
        if len(parts) != 3 or parts[0] != "accounts" or parts[2] != "policySettings":
            fault = FieldViolation("settings.name", "is not of the form accounts/{account}/policySettings")
            raise InvalidRequestError(f"`settings.name` {fault.description}", violations=[fault])
        paths = list(request.update_mask.paths) or list(_SETTINGS)
        unknown = sorted(set(paths) - set(_SETTINGS))
        if unknown:
            fault = FieldViolation("update_mask", f"`{unknown[0][:64]}` is not one of {', '.join(_SETTINGS)}")
            raise InvalidRequestError(f"`update_mask` {fault.description}", violations=[fault])
        values: dict[str, object] = {name: getattr(given, name) for name in paths}
        if "audited_types" in values:
            values["audited_types"] = tuple(given.audited_types)
        account = account_of(given.name)
        settings, revision = await self._use.settings.update(
            account, values, given.etag, actor=actor(), validate_only=request.validate_only
        )
        return messages.UpdatePolicySettingsResponse(
            settings=settings_message(account_name(account), settings), token=self._token(account, revision)
        )
