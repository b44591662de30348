"""What auth refuses, and why."""

from libs.kernel.errors import DependencyUnavailableError, ErrorKind, SetlistError


class SignedUrlRefusedError(SetlistError):
    """A signed URL is not valid, too old, or was used before. The caller is not told which."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "SIGNED_URL_REFUSED"


class AuthorizationRefusedError(SetlistError):
    """An authorisation was denied, expired, or made by another user or account."""

    kind = ErrorKind.WRONG_STATE
    reason = "AUTHORIZATION_REFUSED"


class NotAuthorizedError(SetlistError):
    """No grant is held for the account."""

    kind = ErrorKind.WRONG_STATE
    reason = "INSTALLATION_NOT_AUTHORIZED"


class ReauthorizationNeededError(SetlistError):
    """The grant was lost or revoked: an admin must authorise again."""

    kind = ErrorKind.WRONG_STATE
    reason = "REAUTHORIZATION_NEEDED"


class AccountGoneError(DependencyUnavailableError):
    """Zendesk knows no such account (404 where even strangers get another answer); to callers it just does not answer."""


class ZendeskRefusedError(SetlistError):
    """Zendesk refused what auth asked for."""

    kind = ErrorKind.WRONG_STATE
    reason = "ZENDESK_REFUSED"


class TokenNotRevocableError(SetlistError):
    """A living context token cannot be revoked by itself; it dies within a minute."""

    kind = ErrorKind.INVALID
    reason = "TOKEN_NOT_REVOCABLE"


class TooManyKeysError(SetlistError):
    """So many keys are published that verifiers would refuse another one."""

    kind = ErrorKind.WRONG_STATE
    reason = "TOO_MANY_KEYS"
