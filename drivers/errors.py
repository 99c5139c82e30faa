"""What can go wrong at a drive: one class for each thing that a person or a job can do about it."""

import errno


class DriveError(Exception):
    """Base of all errors of a drive. The message is `where: why`, for a person; `hint` says what to do next."""

    hint: str | None = None

    def __init__(self, message: str, hint: str | None = None) -> None:
        """Word the error as `where: why`."""
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class NoDevice(DriveError):
    """There is no such device or file: name another one."""


class BadAddress(DriveError):
    """What was written to name the drive cannot be understood: write it otherwise."""


class NoPermission(DriveError):
    """The operating system refuses: ask for the right to use the device."""


class Busy(DriveError):
    """Somebody else uses the drive: wait, or end the other one."""


class NoMedium(DriveError):
    """No cartridge in the drive, or it went away: put it in."""


class BlankMedium(DriveError):
    """Nothing was ever written here: label it first."""


class ForeignMedium(DriveError):
    """The medium holds something that is not tapekit's: `found` is its short name."""

    def __init__(self, message: str, found: str, hint: str | None = None) -> None:
        """Say what was found."""
        super().__init__(message, hint)
        self.found = found


class WriteProtected(DriveError):
    """The medium, or the way to it, takes no writes: move the slider, or use another cartridge."""


class MediumTooSmall(DriveError):
    """The medium has no room for even one archive: use a larger one."""


class MediumError(DriveError):
    """One place of the medium cannot be read or written; permanent. The drive stands behind it."""

    def __init__(self, message: str, file: int, block: int, hint: str | None = None) -> None:
        """Name the place: block `block` of file `file`."""
        super().__init__(message, hint)
        self.file = file
        self.block = block


class EndOfMedium(DriveError):
    """The medium is full: go on with the next cartridge. Nothing of the refused block was written."""


class BlocksLost(MediumError):
    """The drive had taken blocks, and could not write them: `count` of them, from the place named on, are not there."""

    def __init__(self, message: str, file: int, block: int, count: int, hint: str | None = None) -> None:
        """Name the first block that was lost."""
        super().__init__(message, file, block, hint)
        self.count = count


class MediumChanged(DriveError):
    """The cartridge was taken out, or another one may be in: look at it again before anything else."""


class IncompatibleMedium(DriveError):
    """This cartridge does not go with this drive: use another one."""


class CleaningNeeded(DriveError):
    """The drive does not work on before it is cleaned: put a cleaning cartridge in."""


class NotReady(DriveError):
    """The drive is busy with its cartridge: wait."""


class HostFull(DriveError):
    """The file system under an image file is full: make room there."""


class EndOfData(DriveError):
    """A place behind the end of data was asked for."""


class DriveReset(DriveError):
    """The drive was reset; its position is lost. Locate again before anything else."""


class DeviceFailure(DriveError):
    """The device or the way to it failed in a manner that no retry mends."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BY_ERRNO: tuple[tuple[tuple[int, ...], type[DriveError], str, str | None], ...] = (
    ((errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOTDIR), NoDevice, "no such device or file", None),
    ((errno.EACCES, errno.EPERM), NoPermission, "permission denied", "run as root, or as the user who owns it"),
    ((errno.EBUSY, errno.ETXTBSY), Busy, "in use by another program, or mounted", None),
    ((errno.EROFS,), WriteProtected, "write-protected", None),
    ((errno.ENOMEDIUM,), NoMedium, "no cartridge in the drive", None),
    (_FULL, HostFull, "no space left on the file system that holds it", "make room there"),
)


def translated(error: OSError, where: str) -> DriveError:
    """The typed error for an operating-system error that no driver gives a meaning of its own."""
    for numbers, error_type, why, hint in _BY_ERRNO:
        if error.errno in numbers:
            return error_type(f"{where}: {why}", hint)
    return DeviceFailure(f"{where}: {error.strerror or error}")
