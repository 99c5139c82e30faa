"""A site whose drive is a dock or a disk at the machine's USB port."""

import dataclasses

from tapekit import drives
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.evidence import Evidences
from tapekit.jobs import verify
from tapekit.model import Rung
from tapekit.progress import Silent
from tapekit.report.night import NightReport
from tests.jobs.nightly.site import Site

PROVEN = frozenset((Rung.WRITTEN, Rung.FLUSHED, Rung.READ_BACK, Rung.COMPARED))


@dataclasses.dataclass
class UsbSite(Site):
    """See Site. Its nights are Mondays, so that one cartridge is due, and nothing on it expires: it is added to."""

    url: str = ""
    drive_options: dict[str, object] = dataclasses.field(default_factory=dict)
    pools: dict[str, object] = dataclasses.field(default_factory=lambda: {"daily": {"retention": "1000 days"}})

    def content(self) -> dict[str, object]:
        return {**super().content(), "drives": {"rdx": {"url": self.url, **self.drive_options}}}

    def next_night(self) -> NightReport:
        """The night of the Monday after."""
        self.next_day(7)
        return self.run()

    def archives(self) -> int:
        """How many complete archives the cartridge has; of each its header and trailer are read."""
        drive = drives.open_drive(self.url, {}, writable=False)
        try:
            return sum(segment.is_complete for segment in open_cartridge(drive).segments())
        finally:
            drive.close()

    def whole_archives(self) -> int:
        """How many archives are on the cartridge; each is read back here, and is right, or was cut short."""
        drive = drives.open_drive(self.url, {}, writable=False)
        try:
            result = verify.run(drive, "all", Silent(), Evidences(self.root / "state"))
        finally:
            drive.close()
        assert not result.damage, result.damage
        whole = [segment for segment in result.segments if segment.state == "complete"]
        assert all(segment.ok for segment in whole)
        return len(whole)
