"""What assignment refuses, and why."""

from libs.kernel.errors import ErrorKind, SetlistError


class WebhookSignatureError(SetlistError):
    """A webhook's signature does not fit."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "WEBHOOK_SIGNATURE_INVALID"


class NotSyncedError(SetlistError):
    """Nothing is known of the account yet."""

    kind = ErrorKind.WRONG_STATE
    reason = "ACCOUNT_NOT_SYNCED"


class ZendeskRefusedError(SetlistError):
    """Zendesk refused the change."""

    kind = ErrorKind.WRONG_STATE
    reason = "ZENDESK_REFUSED"


class FieldNotManagedError(SetlistError):
    """Only the three Playlist fields may be written."""

    kind = ErrorKind.INVALID
    reason = "FIELD_NOT_MANAGED"


class AlreadyExistsError(SetlistError):
    """The resource exists."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "ALREADY_EXISTS"


class OfferEndedError(SetlistError):
    """The offer was answered otherwise, expired or was withdrawn."""

    kind = ErrorKind.WRONG_STATE
    reason = "OFFER_ENDED"


class NoQueueForRuleError(SetlistError):
    """No active queue reads the view that is the agent's rule."""

    kind = ErrorKind.WRONG_STATE
    reason = "NO_QUEUE_FOR_RULE"


class QueueNotActiveError(SetlistError):
    """The ticket's queue is paused, or no queue holds it."""

    kind = ErrorKind.WRONG_STATE
    reason = "QUEUE_NOT_ACTIVE"
