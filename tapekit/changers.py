"""From what a person writes to an open changer."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tapekit.errors import UsageError

if TYPE_CHECKING:
    from drivers.changer.changer import Changer

CHANGERS = (
    ("changer", "drivers.changer.open"),
    ("virtual-changer", "drivers.changer.virtual"),
)
"""One line for each kind: its scheme, and the module whose `open_changer` opens one (see drives.DRIVERS)."""


def open_changer(name: str, named: Mapping[str, str]) -> "Changer":
    """Open a changer, given as a URL or by its name in the configuration. Raises UsageError and DriveError."""
    url = named.get(name, name)
    scheme, colon, path = url.partition(":")
    if not colon or not path or scheme not in dict(CHANGERS):
        known = ", ".join(f"{one}:" for one, _ in CHANGERS)
        names = f"; drives in the configuration: {', '.join(sorted(named))}" if named else ""
        raise UsageError(
            f"changer: {name!r} is no changer", f"write it as {known} with a device or folder behind it{names}"
        )
    opened: Changer = importlib.import_module(dict(CHANGERS)[scheme]).open_changer(path)
    return opened
