"""From what a person writes to an open drive."""

from collections.abc import Callable, Mapping

from drivers import disk, image, rdx
from drivers.base import Drive
from drivers.discover import Device
from drivers.tape import open as tape
from drivers.tape import virtual
from tapekit.errors import UsageError

DRIVERS: tuple[tuple[str, Callable[..., Drive]], ...] = (
    (image.SCHEME, image.open_drive),
    (disk.SCHEME, disk.open_drive),
    (rdx.SCHEME, rdx.open_drive),
    (tape.SCHEME, tape.open_drive),
    (virtual.SCHEME, virtual.open_drive),
)
"""One line for each driver: its scheme, and what opens a drive of it."""


def resolve(drive: str, named: Mapping[str, str]) -> tuple[str, str]:
    """Scheme and path of a drive, given as a URL or by its name in the configuration. Raises UsageError."""
    url = named.get(drive, drive)
    scheme, colon, path = url.partition(":")
    known = ", ".join(f"{name}:" for name, _ in DRIVERS)
    if not colon or scheme not in dict(DRIVERS):
        names = f"; drives in the configuration: {', '.join(sorted(named))}" if named else ""
        raise UsageError(
            f"drive: {drive!r} is no drive", f"write it as {known} with a file or device behind it, or a name{names}"
        )
    if not path:
        raise UsageError(f"drive: {drive!r}: a file or device must stand behind {scheme}:")
    return scheme, path


def url_of(device: Device) -> str:
    """The URL of a device that was found: of an RDX dock as of any disk, where there is no driver of its own."""
    scheme = device.kind.value if device.kind.value in dict(DRIVERS) else disk.SCHEME
    return f"{scheme}:{device.node}"


def open_drive(drive: str, named: Mapping[str, str], *, writable: bool) -> Drive:
    """Open a drive. Raises UsageError and DriveError."""
    scheme, path = resolve(drive, named)
    return dict(DRIVERS)[scheme](path, writable=writable)
