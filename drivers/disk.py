"""`disk:/dev/…`: a cartridge on a block device: a USB disk, an RDX cartridge, a loop device."""

from drivers.recordlog import block_device
from drivers.recordlog.drive import RecordLogDrive

SCHEME = "disk"


def open_drive(path: str, *, writable: bool) -> RecordLogDrive:
    """Open a block device for us alone: one that is mounted, or used by another program, is Busy.

    Raises NoDevice, NoMedium, NoPermission, Busy and what the operating system says.
    """
    url = f"{SCHEME}:{path}"
    storage, protected = block_device.open_storage(path, url, writable=writable)
    try:
        return RecordLogDrive(url, block_device.identity(path), storage, write_protected=protected)
    except BaseException:
        storage.close()
        raise
