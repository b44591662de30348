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
    """The state at hand could not be confirmed in time; never is an older one answered from."""

    kind = ErrorKind.UNAVAILABLE
    reason = "REVISION_AHEAD"
    retry = Retry.SAME


class RevisionUnknownError(SetlistError):
    """A token or a revision names a write that this database never had, or lost in a restore."""

    kind = ErrorKind.WRONG_STATE
    reason = "REVISION_UNKNOWN"


class RevisionNotKeptError(SetlistError):
    """The asked revision is older than what is kept, or history was rewritten since; metadata names the oldest."""

    kind = ErrorKind.OUT_OF_RANGE
    reason = "REVISION_NOT_KEPT"


class ExtensionsInvalidError(SetlistError):
    """Policies beyond the seed break a rule; every fault names its field."""

    kind = ErrorKind.INVALID
    reason = "EXTENSIONS_INVALID"
