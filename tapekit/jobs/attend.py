"""Attending the drives: a cartridge that is put in is recognised, told right from wrong, and may start its job.

What is in each drive is compared with what was in it last, which is kept over a restart: the same event twice, or a
restart of the service, is no new cartridge. A drive that somebody uses, or that fails, is looked at again later.

A person may be at work with a tape: a tape drive is only asked which cartridge is in it, and opened, which winds the
tape to its beginning, where that is another one than before. Nothing is loaded for a look, or waited for.
"""

import dataclasses
import json
from collections.abc import Callable, Collection, Generator, Iterator
from datetime import date, datetime
from pathlib import Path

from drivers.base import Drive
from drivers.errors import BlankMedium, DriveError, ForeignMedium, NoDevice, NoMedium
from drivers.errors import Busy as DriveBusy
from drivers.tape.glance import Glance
from drivers.tape.glance import Inside as GlanceInside
from formats.errors import FormatError
from tapekit import clock, drives
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.config.schema import Configuration
from tapekit.errors import REPORTED, Busy, TapekitError
from tapekit.jobs import check, past
from tapekit.jobs.nightly import resume
from tapekit.jobs.nightly.lock import locked
from tapekit.jobs.nightly.setting import Setting, setting
from tapekit.model import night_of
from tapekit.report.atomic import write_atomically
from tapekit.report.check import Check
from tapekit.report.night import Note
from tapekit.report.said import said
from tapekit.units import parse_time

FILE = "attend.json"
HOLDER = "tapekit attend"
EMPTY, BLANK = "", "blank"
Start = Callable[[str], None]
"""Starts the night of a job, and does not wait for it. Raises TapekitError."""


@dataclasses.dataclass(frozen=True)
class Inside:
    """What is in a drive: what tells it from another one, and its name for a person."""

    key: str
    name: str = ""
    words: str = ""
    """What it is, where it has no name."""
    serial: str = ""
    """The medium's own, where it has one."""
    labelled: str = ""
    """When its label was written."""


NOTHING = Inside(EMPTY)


@dataclasses.dataclass(frozen=True)
class Happened:
    """Something that a person should hear of, or a program."""

    drive: str
    what: str
    """`in`, `out`, `problem`."""
    name: str = ""
    """The cartridge's, where it has one."""
    words: str = ""
    """Of a problem, or a medium without a name."""


@dataclasses.dataclass(frozen=True)
class Judged:
    """A job whose drive was given a cartridge: what the coming night says of it, and what came of that."""

    job: str
    check: Check
    untold: tuple[Note, ...]
    """What could not be sent."""
    is_started: bool = False
    why_not_started: str = ""
    is_rest: bool = False
    """The rest of a night that waits goes onto this cartridge: of the coming night nothing was asked."""


def inside(drive: Drive) -> Inside:
    """What is in an open drive. Raises DriveError, FormatError where that cannot be told now."""
    medium = drive.medium()
    if not medium.present:
        return NOTHING
    try:
        label = open_cartridge(drive).label
    except (BlankMedium, ForeignMedium) as error:
        found = error.found if isinstance(error, ForeignMedium) else BLANK
        words = said("blank") if found == BLANK else found
        return Inside(f"{found} {medium.serial} {medium.capacity_bytes}", words=words, serial=medium.serial)
    if label is None:
        return Inside(f"damaged {medium.serial}", words=said("damaged"))
    return Inside(label.cartridge, label.name, serial=medium.serial, labelled=label.labelled)


def _opened(url: str) -> Inside:
    drive = drives.open_drive(url, {}, writable=False)
    try:
        return inside(drive)
    finally:
        drive.close()


class Attendant:
    """Watches the drives of a configuration."""

    def __init__(self, configuration: Configuration, state: Path, start: Start, runs: Collection[str] = ()) -> None:
        """Take up what was known last. Jobs in `runs`, and those that say so themselves, are started."""
        self._configuration = configuration
        self._state = state
        self._start = start
        self._runs = {*runs, *(name for name, job in configuration.jobs.items() if job.on_insert == "run")}
        kept = _read(state / FILE)
        self._inside: dict[str, str] = kept["drives"]
        self._started: dict[str, str] = kept["started"]
        self._keys: dict[str, str] = kept["keys"]
        """Of tape drives: what told the cartridge that was looked at from another one."""
        self._blank: dict[str, datetime] = {}
        """When a medium was first seen to be blank."""
        self._problems: dict[str, str] = {}

    def look(self) -> Iterator[Happened | Judged]:
        """Look at every drive once; tell what is new, then what the jobs of those drives say."""
        new: list[str] = []
        before = dict(self._inside), dict(self._keys)
        for name, drive in self._configuration.drives.items():
            found = yield from self._look(name, drive.url)
            if found is None or found.key == self._inside.get(name, EMPTY):
                continue
            was, self._inside[name] = self._inside.get(name, EMPTY), found.key
            if found.key == EMPTY:
                yield Happened(name, "out")
                continue
            yield Happened(name, "in", found.name, found.words)
            if not self._is_labelled_here(name, was, found):
                new.append(name)
            if found.key.startswith(f"{BLANK} "):
                self._blank[name] = clock.now()
        if (self._inside, self._keys) != before:
            self._keep()
        for job, its in self._configuration.jobs.items():
            if set(its.in_reach) & set(new):
                try:
                    yield self._judge(job)
                except REPORTED as error:
                    yield Happened(", ".join(its.in_reach), "problem", words=str(error))

    def _is_labelled_here(self, name: str, was: str, found: Inside) -> bool:
        """Whether the blank medium was labelled in the drive: then nobody has put anything in."""
        if not (was.startswith(f"{BLANK} ") and found.labelled):
            return False
        serial = was.split(" ")[1]
        if serial or found.serial:
            return serial == found.serial
        since = self._blank.get(name)
        return since is not None and parse_time(found.labelled) >= since.replace(microsecond=0)

    def _look(self, name: str, url: str) -> Generator[Happened, None, Inside | None]:
        """What is in a drive; None where nobody can tell now, which is said once."""
        try:
            with locked(self._state / "locks", [url], HOLDER, 0, is_shared=True):
                glance = drives.glance(url)
                if glance is not None and not self._may_be_another(name, glance):
                    return None
                is_empty = glance is not None and glance.inside is GlanceInside.NOTHING
                found = NOTHING if is_empty else _opened(url)
                self._keys[name] = glance.key if glance is not None and found is not NOTHING else ""
        except (NoDevice, NoMedium):  # of disks the device is the cartridge
            found = NOTHING
        except (Busy, DriveBusy):
            return None
        except (DriveError, FormatError, TapekitError) as error:
            if self._problems.get(name) != str(error):
                self._problems[name] = str(error)
                yield Happened(name, "problem", words=str(error))
            return None
        self._problems.pop(name, None)
        return found

    def _may_be_another(self, name: str, glance: Glance) -> bool:
        """Whether the drive itself tells of a change."""
        if glance.inside is not GlanceInside.LOADED:
            return glance.inside is GlanceInside.NOTHING
        if self._inside.get(name, EMPTY) == EMPTY:
            return True
        return glance.key != self._keys.get(name, "") or (not glance.key and glance.is_changed)

    def _judge(self, job: str) -> Judged:
        """Right or wrong for the coming night, as the evening check has it; said, where it is wrong, as that does."""
        of = setting(self._configuration, job)
        if resume.is_next(of, clock.now()):
            return self._go_on(of)
        is_run = job in self._runs
        night = night_of(clock.now()) if is_run else None
        done = _is_done(of, night) if night else False
        found = check.run(of, None if done else night)
        untold = tuple(check.tell(of, found))
        if not is_run:
            return Judged(job, found, untold)
        why_not = said("its night has run") if done else self._why_not(found)
        if why_not or night is None:
            return Judged(job, found, untold, why_not_started=why_not)
        self._started[job] = night.isoformat()  # before it is: what is started twice is worse than a timer that does it
        self._keep()
        try:
            self._start(job)
        except TapekitError as error:
            return Judged(job, found, untold, why_not_started=str(error))
        return Judged(job, found, untold, is_started=True)

    def _go_on(self, of: Setting) -> Judged:
        """A night whose rest waits in the spool goes on, without being asked for: it was begun already."""
        found = Check(of.site, of.name, night_of(clock.now()))
        try:
            self._start(of.name)
        except TapekitError as error:
            return Judged(of.name, found, (), why_not_started=str(error))
        return Judged(of.name, found, (), is_started=True, is_rest=True)

    def _why_not(self, found: Check) -> str:
        if found.why_closed is not None:
            return str(found.why_closed)
        if not found.ways or not all(way.is_wanted for way in found.ways):  # other warnings keep no night from running
            return said("the night would not go onto the cartridge that is due")
        if self._started.get(found.job) == found.night.isoformat():
            return said("it was started already")
        return ""

    def _keep(self) -> None:
        """Keep what is known for after a restart. Where it cannot be kept, a restart tells of the cartridges again."""
        text = json.dumps({"drives": self._inside, "started": self._started, "keys": self._keys})
        try:
            write_atomically(self._state / FILE, text, 0o600)
        except OSError:
            return


def _is_done(of: Setting, night: date) -> bool:
    """Whether a night has run to its end. Raises nothing: where nobody knows, it has not."""
    try:
        run = past.recall(of.configuration).last.get(of.name)
    except REPORTED:
        return False
    return run is not None and run.night == night and run.ended is not None


def _read(path: Path) -> dict[str, dict[str, str]]:
    """What was kept; nothing where it is not there, or is no such file."""
    try:
        kept = json.loads(path.read_text("utf-8"))
        found = {table: dict(kept[table]) for table in ("drives", "started")}
        found["keys"] = dict(kept.get("keys", {}))
    except (OSError, ValueError, KeyError, TypeError):
        return {"drives": {}, "started": {}, "keys": {}}
    return found
