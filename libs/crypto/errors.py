"""What goes wrong in this room; each outward text is fixed, so that nobody learns from it."""

from __future__ import annotations

from libs.kernel.errors import UnauthenticatedError


class InvalidTokenError(UnauthenticatedError):
    """A token is refused. Callers get one text; `cause` is for metrics and audit only.

    Attributes:
        cause: which rule refused, a short word such as `signature` or `expired`; never a part of the token.
        kid: the header's key id when it was readable, for logs.
    """

    def __init__(self, cause: str, *, kid: str | None = None) -> None:
        super().__init__("the token is not valid")
        self.cause = cause
        self.kid = kid


class InvalidKeySetError(ValueError):
    """A key set is refused as a whole; the text names the rule."""


class InvalidCiphertextError(Exception):
    """A ciphertext cannot be opened: altered, moved, of another key, or its key was shredded."""

    def __init__(self) -> None:
        super().__init__("the ciphertext cannot be opened")


class KeyProviderError(RuntimeError):
    """A key-encryption key is missing or malformed; the text says where it was looked for."""
