"""A virtual drive from what a person writes: `FILE?generation=6&capacity=64M&...`; the file is the cartridge in it."""

import json
from pathlib import Path
from urllib.parse import parse_qsl

from drivers.errors import BadAddress, translated
from drivers.scsi.generations import GENERATIONS, generation
from drivers.virtual import faults
from drivers.virtual.clock import SimulatedClock
from drivers.virtual.faults import Script
from drivers.virtual.tape import cartridge
from drivers.virtual.tape.cartridge import Cartridge, Kind
from drivers.virtual.tape.deck import LARGEST_BLOCK_BYTES, Deck, Names
from drivers.virtual.tape.motion import Clock
from drivers.virtual.tape.recording import RECORDINGS, drive_for, recording
from drivers.virtual.tape.unit import TapeUnit

_OF_CARTRIDGE = ("medium", "capacity", "warning", "barcode", "kind", "new")
KEYS = ("generation", "serial", "buffer", "largest", "faults", *_OF_CARTRIDGE)
_UNITS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def unit_of(path: str, *, writable: bool, clock: Clock | None = None) -> TapeUnit:
    """The drive with its cartridge in; the file is made where it is not there, and a generation is named.

    `generation`: of the drive; `medium`: the cartridge's (L6); `capacity`, `warning`: sizes such as 64M; `kind`: data,
    worm or cleaning; `new=1`: no drive has had it yet; `buffer`, `largest`: sizes of the drive's buffer and of the
    largest block that it takes; `faults`: a file that says what goes wrong (drivers/virtual/faults.py).

    Raises BadAddress, NoDevice, Busy, ForeignMedium.
    """
    file, _, query = path.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(options.keys() - set(KEYS))
    if unknown:
        raise BadAddress(f"virtual:{file}: {', '.join(unknown)}: not an option", f"there are {', '.join(KEYS)}")
    empty = sorted(key for key, value in options.items() if not value)
    if empty:
        raise BadAddress(f"virtual:{file}: {', '.join(empty)}: without a value", "write it as generation=6")
    number = _number(file, "generation", options.get("generation"))
    buffer_bytes = _size(file, "buffer", options.get("buffer"))
    largest = _size(file, "largest", options.get("largest")) or LARGEST_BLOCK_BYTES
    script = _script(file, options.get("faults"))
    in_changer = _generation_in_changer(Path(file))
    number = number or in_changer
    if not Path(file).exists() and number is not None and in_changer is None:
        _create(file, options, number)
    is_empty = in_changer is not None and not Path(file).exists()
    medium = None if is_empty else Cartridge(file, writable=writable)
    drive = generation(number) if number else drive_for(medium.recording.media_id if medium else "L6")
    names = Names(serial=options.get("serial") or _serial(Path(file), in_changer))
    deck = Deck(
        drive, names, clock or SimulatedClock(), buffer_bytes=buffer_bytes, largest_block_bytes=largest
    )  # fmt: skip
    if medium is not None:
        deck.insert(medium)
    return TapeUnit(deck, script)


def _serial(file: Path, in_changer: int | None) -> str:
    """As its changer tells it of the drive of that number."""
    number = file.name.removeprefix("drive-") if in_changer is not None else ""
    return f"VD{int(number) + 1 if number.isdecimal() else 1:08}"


def _generation_in_changer(file: Path) -> int | None:
    """The generation of a drive that belongs to a virtual changer (drivers/virtual/changer.py); it may be empty."""
    if not file.name.startswith("drive-"):
        return None
    try:
        return int(json.loads((file.parent / "changer.json").read_text())["generation"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _script(file: str, path: str | None) -> Script | None:
    if path is None:
        return None
    try:
        return Script(faults.parse(Path(path).read_text()))
    except OSError as error:
        raise translated(error, f"virtual:{file}: {path}") from error
    except ValueError as error:
        raise BadAddress(f"virtual:{file}: {path}: {error}") from error


def _create(file: str, options: dict[str, str], number: int) -> None:
    media_id = options.get("medium", generation(number).media_id)
    known = ", ".join(one.media_id for one in RECORDINGS)
    if media_id not in known.split(", "):
        raise BadAddress(f"virtual:{file}: medium {media_id}: not known", f"there are {known}")
    if options.get("kind", "data") not in {kind.value for kind in Kind}:
        raise BadAddress(f"virtual:{file}: kind {options['kind']}: not known", "data, worm or cleaning")
    if not Path(file).parent.is_dir():
        raise BadAddress(f"virtual:{file}: {Path(file).parent}: no such folder")
    cartridge.create(
        file, recording(media_id), kind=Kind(options.get("kind", "data")),
        capacity=_size(file, "capacity", options.get("capacity")),
        early_warning=_size(file, "warning", options.get("warning")),
        barcode=options.get("barcode", ""), is_new=options.get("new") == "1",
    )  # fmt: skip


def _number(file: str, key: str, text: str | None) -> int | None:
    if text is None:
        return None
    known = [str(one.number) for one in GENERATIONS]
    if text not in known:
        raise BadAddress(f"virtual:{file}: {key} {text}: not known", f"there are {', '.join(known)}")
    return int(text)


def _size(file: str, key: str, text: str | None) -> int | None:
    if text is None:
        return None
    digits, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "")
    if not digits.isdecimal() or (not int(digits) and key != "warning"):
        raise BadAddress(f"virtual:{file}: {key} {text}: not a size", "write it as 64M or 2G")
    return int(digits) * _UNITS.get(unit, 1)
