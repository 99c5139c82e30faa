"""How cartridges of LTO are recorded: what a drive reports of each format (REPORT DENSITY SUPPORT, mode parameters)."""

import dataclasses

from drivers.scsi.generations import Generation, generation

MB = 1_000_000
_ENCRYPTS_SINCE, _CHECKS_BLOCKS_SINCE, _GETS_TO_KNOW_SINCE = 4, 5, 9


@dataclasses.dataclass(frozen=True)
class Recording:
    """A format; `media_id` is the end of a cartridge's barcode, `medium_type` that of one that is written often."""

    media_id: str
    density: int
    name: str
    description: str
    native_mb: int
    medium_type: int

    @property
    def worm_medium_type(self) -> int:
        """The medium type of one that is written once."""
        return self.medium_type | 0x04


RECORDINGS = (
    Recording("L1", 0x40, "U-18", "Ultrium 1/8T", 100_000, 0x18),
    Recording("L2", 0x42, "U-28", "Ultrium 2/8T", 200_000, 0x28),
    Recording("L3", 0x44, "U-316", "Ultrium 3/16T", 400_000, 0x38),
    Recording("L4", 0x46, "U-416", "Ultrium 4/16T", 800_000, 0x48),
    Recording("L5", 0x58, "U-516", "Ultrium 5/16T", 1_500_000, 0x58),
    Recording("L6", 0x5A, "U-616", "Ultrium 6/16T", 2_500_000, 0x68),
    Recording("L7", 0x5C, "U-732", "Ultrium 7/32T", 6_000_000, 0x78),
    Recording("M8", 0x5D, "U-732M", "Ultrium M8/32T", 9_000_000, 0x78),
    Recording("L8", 0x5E, "U-832", "Ultrium 8/32T", 12_000_000, 0x88),
    Recording("L9", 0x60, "U-932", "Ultrium 9/32T", 18_000_000, 0x98),
    Recording("LA", 0x62, "U-1032", "Ultrium 10/32T", 30_000_000, 0xA8),
    Recording("PA", 0x63, "U-1032P", "Ultrium 10P/32T", 40_000_000, 0xA8),
)


def recording(media_id: str) -> Recording:
    """The format with that id. Raises KeyError."""
    return {one.media_id: one for one in RECORDINGS}[media_id]


def drive_for(media_id: str) -> Generation:
    """The drive that a cartridge of this format is made for. Raises KeyError."""
    numbers = {"L3": 3, "L4": 4, "L5": 5, "L6": 6, "L7": 7, "M8": 8, "L8": 8, "L9": 9, "LA": 10, "PA": 10}
    return generation(numbers[media_id])


def encrypts(drive: Generation) -> bool:
    """Whether drives of this generation encrypt."""
    return drive.number >= _ENCRYPTS_SINCE


def checks_blocks(drive: Generation) -> bool:
    """Whether they have logical block protection."""
    return drive.number >= _CHECKS_BLOCKS_SINCE


def gets_to_know_cartridges(drive: Generation) -> bool:
    """Whether the first load of a new cartridge takes 20 to 120 minutes."""
    return drive.number >= _GETS_TO_KNOW_SINCE
