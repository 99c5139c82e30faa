"""The devices of this machine: what is in each, how it is, what may be done with it, and what is lacking to do it."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from drivers import discover
from drivers.base import Drive, Health
from drivers.discover import Device, Kind, Missing
from drivers.errors import Busy as DriveBusy
from drivers.errors import DriveError, NoMedium
from drivers.tape.glance import Glance, Inside
from formats.errors import FormatError
from tapekit import drives
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.errors import Busy, TapekitError
from tapekit.jobs.nightly.lock import shared
from tapekit.jobs.nightly.reach import Found, found_of
from tapekit.report.said import Said, said

HOLDER = "tapekit devices"
_KINDS = {
    Kind.TAPE: said("tape drive"), Kind.CHANGER: said("changer"), Kind.RDX: said("RDX dock"), Kind.DISK: said("disk"),
    Kind.SERIAL: said("serial port"),
}  # fmt: skip
_DRIVES = frozenset((Kind.TAPE, Kind.RDX, Kind.DISK))
_MAY: Mapping[Found, tuple[str, ...]] = {
    Found.CARTRIDGE: ("backup", "verify", "list", "restore", "eject"),
    Found.BLANK: ("label", "eject"),
    Found.FOREIGN: ("eject", "label --destroy"),
    Found.DAMAGED: ("verify", "restore", "eject"),
}
_OTHERS: Mapping[Kind, tuple[str, ...]] = {Kind.CHANGER: ("changer",), Kind.SERIAL: ("scan", "loader")}


@dataclasses.dataclass(frozen=True)
class Seen:
    """A device, and what was found in it."""

    device: Device
    url: str = ""
    """Of a drive; empty for what is none."""
    medium: str = ""
    """`cartridge`, `blank`, `foreign`, `damaged`, `nothing`; `in use`; empty where nobody looked, or could."""
    label: str = ""
    """The cartridge's name."""
    is_write_protected: bool = False
    capacity_bytes: int = 0
    remaining_bytes: int = 0
    health: Health | None = None
    """What device and medium say of themselves; None where nobody asked, or could."""
    words: str = ""
    """Why the medium is what it is, or why nobody could look."""
    key: str = ""
    """Of a tape drive: what tells the cartridge in it from another one, without looking."""
    missing: Missing | None = None
    """The permission that this user lacks."""

    @property
    def may(self) -> tuple[str, ...]:
        """The commands that make sense now."""
        if self.missing:
            return ()
        if not self.url:
            return _OTHERS.get(self.device.kind, ())
        found = next((it for it in Found if it.value == self.medium), None)
        commands = _MAY.get(found, ()) if found else ()
        writing = {"backup", "label", "label --destroy"} if self.is_write_protected else set()
        return tuple(command for command in commands if command not in writing)


def kind_of(kind: Kind) -> Said:
    """A kind of device for a person."""
    return _KINDS[kind]


def remedy(lacking: Missing) -> str:
    """How a user gets a permission; a command, and what is to be done behind it."""
    again = ", and log in again"
    if lacking.remedy.endswith(again):
        return said("{command}, and log in again", command=lacking.remedy.removesuffix(again))
    return lacking.remedy


def offered(root: Path = Path("/")) -> list[Seen]:
    """Drives that a configuration could name, disks first; nothing is opened."""
    found = [each for each in discover.devices(root) if each.kind in _DRIVES]
    return [Seen(each, drives.url_of(each)) for each in sorted(found, key=lambda each: each.kind is Kind.TAPE)]


def run(
    state: Path, *, is_looking: bool = True, root: Path = Path("/"), before: Sequence[Seen] = ()
) -> list[Seen]:  # fmt: skip
    """Look at every device, and into every drive that nobody uses unless `is_looking` forbids it.

    What goes wrong with one is an answer, never an error. `state` is where the locks of drives are. Into a tape drive
    that still holds the cartridge of a look `before`, nobody looks again: that winds the tape to its beginning.
    """
    known = {each.device.node: each for each in before if each.key}
    return [
        _look(device, state, root, known.get(device.node), is_looking=is_looking) for device in discover.devices(root)
    ]


def _look(device: Device, state: Path, root: Path, before: Seen | None, *, is_looking: bool) -> Seen:
    seen = Seen(device, drives.url_of(device) if device.kind in _DRIVES else "")
    lacking = discover.missing(device, root=root)
    if lacking is not None:
        return dataclasses.replace(seen, missing=lacking)
    return _look_into(seen, state, before) if seen.url and is_looking else seen


def _look_into(seen: Seen, state: Path, before: Seen | None) -> Seen:
    if seen.device.kind is not Kind.TAPE and not seen.device.size_bytes:
        return dataclasses.replace(seen, medium=Found.NOTHING.value)
    try:
        with shared(state, seen.url, HOLDER):
            glance = drives.glance(seen.url)
            return _look_inside(seen) if glance is None else _look_at_tape(seen, glance, before)
    except (Busy, DriveBusy) as error:
        return dataclasses.replace(seen, medium="in use", words=str(error))
    except NoMedium:
        return dataclasses.replace(seen, medium=Found.NOTHING.value)
    except (DriveError, TapekitError) as error:
        return dataclasses.replace(seen, words=str(error))


def _look_at_tape(seen: Seen, glance: Glance, before: Seen | None) -> Seen:
    if glance.inside is Inside.NOTHING:
        return dataclasses.replace(seen, medium=Found.NOTHING.value)
    if glance.inside is Inside.NOT_NOW:  # nothing is loaded for a look, or waited for
        return dataclasses.replace(seen, words=said("the drive is not ready"))
    if before is not None and before.key == glance.key:
        return dataclasses.replace(before, device=seen.device)
    return dataclasses.replace(_look_inside(seen), key=glance.key)


def _look_inside(seen: Seen) -> Seen:
    drive = drives.open_drive(seen.url, {}, writable=False)
    try:
        medium = drive.medium()
        told = drive.health()
        tells = bool(told.flags or told.notes or told.counters)
        seen = dataclasses.replace(
            seen, health=told if tells else None, is_write_protected=medium.write_protected,
            capacity_bytes=medium.capacity_bytes, remaining_bytes=medium.remaining_bytes,
        )  # fmt: skip
        if not medium.present:
            return dataclasses.replace(seen, medium=Found.NOTHING.value)
        found, label, words = _content(drive)
        return dataclasses.replace(seen, medium=found.value, label=label, words=words)
    finally:
        drive.close()


def _content(drive: Drive) -> tuple[Found, str, str]:
    """What a medium holds, its label, and why; archives are not looked at, which takes a tape its time."""
    try:
        opened = open_cartridge(drive)
    except (DriveError, FormatError) as error:
        return found_of(error), "", str(error)
    if opened.label is None:
        return Found.DAMAGED, "", opened.label_problem
    return Found.CARTRIDGE, opened.label.name, ""


@dataclasses.dataclass(frozen=True)
class Change:
    """What is not as it was: a device that came, went, or has something else in it."""

    what: str
    """`came`, `went`, `changed`."""
    seen: Seen


def changes(before: Sequence[Seen], now: Sequence[Seen]) -> list[Change]:
    """What came, went or changed between two looks; of one that went, as it was last."""
    was, there = ({each.device.node: each for each in found} for found in (before, now))
    went = [Change("went", each) for node, each in was.items() if node not in there]
    other = [
        Change("came" if node not in was else "changed", each)
        for node, each in there.items()
        if node not in was or _shown(each) != _shown(was[node])
    ]
    return went + other


def _shown(seen: Seen) -> tuple[object, ...]:
    """What a change of is worth a line; counters move all the time."""
    return seen.medium, seen.label, seen.is_write_protected, seen.missing, seen.device
