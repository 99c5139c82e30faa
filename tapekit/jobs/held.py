"""The cartridge cannot be taken out while a job writes on it."""

import contextlib
from collections.abc import Callable, Iterator

from drivers.base import Drive
from drivers.errors import DeviceFailure, DriveError


@contextlib.contextmanager
def held(drive: Drive, refused: Callable[[str], None]) -> Iterator[None]:
    """Within this context nobody takes the cartridge out; behind it everybody may again, whatever happened.

    `refused` is told why where the drive does not do that: it is written to all the same. What else the drive has to
    say, that its cartridge was changed above all, is raised.
    """
    try:
        drive.lock(locked=True)
    except DeviceFailure as error:
        refused(str(error))
    try:
        yield
    finally:
        with contextlib.suppress(DriveError):
            drive.lock(locked=False)
