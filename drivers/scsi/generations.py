"""Generations of LTO: what they hold, how fast they are, and what reads what.

Sources: the makers' manuals and the format roadmap of the LTO consortium; the speed-matching floors are those of
half-height drives.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Generation:
    """A generation. Speeds in MB/s (10⁶ bytes), capacity in GB (10⁹ bytes), both before compression."""

    number: int
    name: str
    density: int
    media_id: str
    """The two characters at the end of a cartridge's barcode."""
    worm_id: str
    capacity_gb: int
    native_mb_s: int
    floor_mb_s: int
    """Below this the drive stops and starts over."""
    buffer_mib: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]


GENERATIONS = (
    Generation(3, "LTO-3", 0x44, "L3", "LT", 400, 80, 30, 128, ("L1", "L2", "L3"), ("L2", "L3")),
    Generation(4, "LTO-4", 0x46, "L4", "LU", 800, 120, 40, 256, ("L2", "L3", "L4"), ("L3", "L4")),
    Generation(5, "LTO-5", 0x58, "L5", "LV", 1500, 140, 47, 256, ("L3", "L4", "L5"), ("L4", "L5")),
    Generation(6, "LTO-6", 0x5A, "L6", "LW", 2500, 160, 54, 512, ("L4", "L5", "L6"), ("L5", "L6")),
    Generation(7, "LTO-7", 0x5C, "L7", "LX", 6000, 300, 101, 1024, ("L5", "L6", "L7"), ("L6", "L7")),
    Generation(8, "LTO-8", 0x5E, "L8", "LY", 12000, 300, 112, 1024, ("L7", "M8", "L8"), ("L7", "M8", "L8")),
    Generation(9, "LTO-9", 0x60, "L9", "LZ", 18000, 400, 177, 1024, ("L8", "L9"), ("L8", "L9")),
    Generation(10, "LTO-10", 0x62, "LA", "LA", 30000, 400, 157, 1024, ("LA", "PA"), ("LA", "PA")),
)
M8_DENSITY = 0x5D
"""A cartridge of LTO-7 that was initialised at 9 TB; only LTO-8 drives use it."""
P10_DENSITY = 0x63
_DENSITIES = {0x40: "L1", 0x42: "L2", M8_DENSITY: "M8", P10_DENSITY: "PA"} | {
    generation.density: generation.media_id for generation in GENERATIONS
}


def generation(number: int) -> Generation:
    """The generation of that number. Raises KeyError."""
    return {known.number: known for known in GENERATIONS}[number]


def of_model(model: str) -> Generation | None:
    """The generation of a drive, from its model as INQUIRY gives it: LTO-6 HH, ULT3580-HH7, Ultrium 8-SCSI."""
    digits = "".join(letter if letter.isdigit() else " " for letter in model.upper().replace("3580", " ")).split()
    known = {found.number: found for found in GENERATIONS}
    is_lto = any(word in model.upper() for word in ("LTO", "ULT"))
    return next((known[int(number)] for number in digits if int(number) in known), None) if is_lto else None


def media_of(density: int) -> str | None:
    """The media id of a cartridge of that density."""
    return _DENSITIES.get(density)
