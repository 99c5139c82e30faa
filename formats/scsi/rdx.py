"""RDX docks: the page in which a dock tells which cartridge is in it, and what it counts of it.

Neither is published; the layout is what programs that read it agree on. Both are only ever read.
"""

import dataclasses

from formats.errors import Damaged
from formats.scsi.inquiry import text

MEDIA_PAGE = 0xC0
CARTRIDGE_LOG = 0x21

_BEGIN = "Cartridge:"
_FIELDS = 8


def is_dock(vendor: str, model: str) -> bool:
    """Whether a device that answers so to INQUIRY is an RDX dock, whoever sells it; Dell's is called RD1000."""
    return "RDX" in model.upper() or (vendor.upper() == "DELL" and model.upper().startswith("RD1000"))


@dataclasses.dataclass(frozen=True)
class MediaId:
    """The cartridge in a dock; empty where the dock does not say."""

    blocks: str = ""
    disk_model: str = ""
    disk_serial: str = ""
    maker: str = ""
    model: str = ""
    serial: str = ""
    barcode: str = ""

    @property
    def is_worm(self) -> bool:
        """Whether it is one of the cartridges that are written only once; their model says so."""
        return "WORM" in self.model.upper()


def build(media: MediaId) -> bytes:
    """The body of the page, from its byte 4 on: a byte of unknown meaning, then strings that end with NUL."""
    return b"\0" + b"".join(f"{word}\0".encode("ascii") for word in (_BEGIN, *dataclasses.astuple(media)))


def parse(body: bytes) -> MediaId:
    """Raises Damaged where it is no such page."""
    words = [text(word) for word in body[1:].split(b"\0")][:_FIELDS]
    if words[:1] != [_BEGIN]:
        raise Damaged(f"media page: begins with {words[0] if words else ''!r}, expected {_BEGIN!r}")
    return MediaId(*words[1:])


COUNTERS = ((1, "loads"), (5, "MiB written"), (6, "MiB read"))
"""Parameters of the log page of the cartridge."""
