"""From what a person writes to an open changer."""

from collections.abc import Callable, Mapping

from drivers.changer import open as changer
from drivers.changer import virtual
from drivers.changer.changer import Changer
from tapekit.errors import UsageError

CHANGERS: tuple[tuple[str, Callable[[str], Changer]], ...] = (
    (changer.SCHEME, changer.open_changer),
    (virtual.SCHEME, virtual.open_changer),
)
"""One line for each kind: its scheme, and what opens a changer of it."""


def open_changer(name: str, named: Mapping[str, str]) -> Changer:
    """Open a changer, given as a URL or by its name in the configuration. Raises UsageError and DriveError."""
    url = named.get(name, name)
    scheme, colon, path = url.partition(":")
    if not colon or not path or scheme not in dict(CHANGERS):
        known = ", ".join(f"{one}:" for one, _ in CHANGERS)
        names = f"; drives in the configuration: {', '.join(sorted(named))}" if named else ""
        raise UsageError(
            f"changer: {name!r} is no changer", f"write it as {known} with a device or folder behind it{names}"
        )
    return dict(CHANGERS)[scheme](path)
