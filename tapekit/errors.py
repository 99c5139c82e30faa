"""Errors of the application, and the exit code of every error (docs/messages.md, "Exit codes")."""

import enum

from drivers import errors as drive
from drivers.changer.errors import NoSuchBarcode
from formats.errors import FormatError, NewerFormat


class Exit(enum.IntEnum):
    """Exit codes; an interface that scripts rely on. 1 is left to the shell and to Python."""

    DONE = 0
    USAGE = 2
    WARNINGS = 3
    FAILED = 4
    CARTRIDGE = 5
    VERIFICATION = 6
    KEY = 7
    BUSY = 8
    END_OF_MEDIUM = 9


class TapekitError(Exception):
    """Base of the application's errors. The message is `what: where: why`; `hint` says what to do next."""

    exit_code = Exit.FAILED

    def __init__(self, message: str, hint: str | None = None) -> None:
        """Word the error."""
        super().__init__(message)
        self.hint = hint


class UsageError(TapekitError):
    """The command line asks for something that makes no sense."""

    exit_code = Exit.USAGE


class CartridgeError(TapekitError):
    """No cartridge, the wrong one, or one that must not be used for this."""

    exit_code = Exit.CARTRIDGE


class WouldDestroy(CartridgeError):
    """The cartridge holds something that would cease to exist."""


class NoSuchArchive(TapekitError):
    """The cartridge does not hold the archive that was asked for."""


class VerificationFailed(TapekitError):
    """What was read is not what was written."""

    exit_code = Exit.VERIFICATION


class KeyNeeded(TapekitError):
    """The content is encrypted, and no key that opens it is at hand."""

    exit_code = Exit.KEY


class KeyRefused(TapekitError):
    """A key or a secret that is at hand cannot be used: damaged, newer, readable by others, a wrong passphrase."""

    exit_code = Exit.KEY


class MediumFull(TapekitError):
    """The cartridge is full, and there is no next one."""

    exit_code = Exit.END_OF_MEDIUM


class Busy(TapekitError):
    """Another run holds what this one needs."""

    exit_code = Exit.BUSY


class Stopped(TapekitError):
    """A person or the system asked to stop."""


_EXIT_OF_DRIVE_ERROR: tuple[tuple[type[Exception], Exit], ...] = (
    (drive.BadAddress, Exit.USAGE),
    (drive.Busy, Exit.BUSY),
    (drive.EndOfMedium, Exit.END_OF_MEDIUM),
    (drive.NoMedium, Exit.CARTRIDGE),
    (drive.BlankMedium, Exit.CARTRIDGE),
    (drive.ForeignMedium, Exit.CARTRIDGE),
    (drive.WriteProtected, Exit.CARTRIDGE),
    (drive.MediumTooSmall, Exit.CARTRIDGE),
    (drive.MediumChanged, Exit.CARTRIDGE),
    (drive.IncompatibleMedium, Exit.CARTRIDGE),
    (drive.NotReady, Exit.BUSY),
    (NoSuchBarcode, Exit.CARTRIDGE),
    (drive.DriveError, Exit.FAILED),
    (NewerFormat, Exit.CARTRIDGE),
    (FormatError, Exit.VERIFICATION),
)

REPORTED = (TapekitError, drive.DriveError, FormatError)
"""What a command reports as a message. Anything else is a defect of the program."""


def exit_code(error: BaseException) -> Exit:
    """The exit code of an error."""
    if isinstance(error, TapekitError):
        return error.exit_code
    return next((code for kind, code in _EXIT_OF_DRIVE_ERROR if isinstance(error, kind)), Exit.FAILED)
