"""What policy refuses, and why."""

from libs.kernel.errors import ErrorKind, Retry, SetlistError


class PermissionsInvalidError(SetlistError):
    """A merge patch breaks the rules of permissions; every fault names its JSON pointer."""

    kind = ErrorKind.INVALID
    reason = "PERMISSIONS_INVALID"


class AlreadyExistsError(SetlistError):
    """The type exists."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "ALREADY_EXISTS"


class TypeInUseError(SetlistError):
    """Records or policies refer to the type."""

    kind = ErrorKind.WRONG_STATE
    reason = "TYPE_IN_USE"


class RevisionAheadError(SetlistError):
    """A token names a revision that this database has not reached."""

    kind = ErrorKind.UNAVAILABLE
    reason = "REVISION_AHEAD"
    retry = Retry.SAME
