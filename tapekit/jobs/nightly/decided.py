"""The cartridges that a night decided on: what is opened to be written must still be the very one that was looked at.

Names are no proof: the first cartridge is called R-01 at many sites. The id of the label is, which is another one with
each labelling.
"""

from collections.abc import Sequence

from drivers.base import Drive
from drivers.errors import BlankMedium, ForeignMedium
from tapekit import drives
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.errors import CartridgeError
from tapekit.rotation.decide import InReach, State, Way

BLANK = ""


class Anew(CartridgeError):
    """What was decided does not hold any more, and nothing was done: it is decided again."""


class Exchanged(Anew):
    """Another cartridge is in the drive."""


class Decided:
    """By URL of each drive: the id of the label that is in it, BLANK where there is none."""

    def __init__(self) -> None:
        """Nothing is decided."""
        self._labels: dict[str, str] = {}

    def on(self, way: Way, in_reach: Sequence[InReach], url: str) -> None:
        """A way over a drive was taken, for what was in it."""
        there = next((one for one in in_reach if one.drive == way.drive and not one.is_in_slot), None)
        if there is not None:
            is_own = there.state is State.OWN and there.cartridge is not None
            self.labelled(url, there.cartridge.label if is_own and there.cartridge else BLANK)

    def labelled(self, url: str, label: str) -> None:
        """What is in a drive has this label now."""
        self._labels[url] = label

    def open(self, url: str, *, writable: bool = True) -> Drive:
        """A drive with what was decided on in it; one of which nothing was decided is opened as it is.

        Raises Exchanged, DriveError, FormatError.
        """
        drive = drives.open_drive(url, {}, writable=writable)
        try:
            if url in self._labels:
                _check(drive, self._labels[url])
        except BaseException:
            drive.close()
            raise
        return drive


def _check(drive: Drive, label: str) -> None:
    try:
        opened = open_cartridge(drive)
    except BlankMedium:
        found, name = BLANK, "a blank medium"
    except ForeignMedium as error:
        raise Exchanged(f"{drive.url}: another medium is in than the one that was looked at: {error.found}") from error
    else:
        found = opened.label.cartridge if opened.label is not None else "unreadable"
        found = BLANK if label == BLANK and opened.is_unfinished else found
        name = f"cartridge {opened.name}"
    if found != label:
        raise Exchanged(
            f"{drive.url}: {name} is in, and is not the one that was looked at a moment ago", "leave it in the drive"
        )
