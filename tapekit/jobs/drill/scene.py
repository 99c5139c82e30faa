"""The scene of a drill: a small site in a scratch folder, cartridges on a shelf, and drives that can be made to fail.

Its evening is the machine's own date at nine; nothing outside the folder is read or written.
"""

import contextlib
import datetime
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from drivers import image
from drivers.base import Drive
from drivers.errors import DriveError
from drivers.faults import Fault, FaultyDrive
from drivers.virtual.tape import cartridge as reel
from drivers.virtual.tape.recording import recording
from formats.errors import FormatError
from formats.segment import COMPLETE
from tapekit import clock, drives
from tapekit.cartridge.cartridge import Segment, open_cartridge
from tapekit.errors import UsageError

JOB = "office"
DISK_BYTES = 64 << 20
EVENING = datetime.time(21, 0)
Command = Callable[[Sequence[str]], int]
"""Runs `tapekit` with these words in this process; its exit code."""

_CONFIGURATION = """\
[site]
name = "Drill"
language = "{language}"
state = "{folder}/state"

[calendar]
closed = []

[drives]
rdx = "image:{folder}/rdx"
tape = "virtual:{folder}/tape"

[pools]
daily = {{ retention = "1 day" }}

[rotations]
turns = {{ scheme = "round-robin", pool = "daily", count = 3 }}

[jobs.office]
sources = ["{folder}/office"]
drive = "rdx"
rotation = "turns"
time = "21:00"
eject = false
encryption = "none"
sample_restore = 1
"""
_FILES = (("letters/offer.txt", b"Dear customer\n"), ("letters/prices.txt", b"9.90\n"))
_STOCK_BYTES = 3 << 20


class Scene:
    """A site to rehearse on."""

    def __init__(self, folder: Path, language: str, command: Command) -> None:
        """Lay out the site: the folder `office` to save, an empty shelf, empty drives."""
        self.folder = folder.resolve()
        self.command = command
        self._faults: tuple[Fault, ...] = ()
        self._is_pulled = False
        self._now = datetime.datetime.combine(clock.now().astimezone().date(), EVENING).astimezone(datetime.UTC)
        self.shelf.mkdir(parents=True)
        for name, content in (*_FILES, ("stock/stock.dat", os.urandom(_STOCK_BYTES))):
            path = self.office / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.configuration.write_text(_CONFIGURATION.format(language=language, folder=self.folder), "utf-8")

    @property
    def shelf(self) -> Path:
        """Where the cartridges lie, each a file of its name."""
        return self.folder / "shelf"

    @property
    def office(self) -> Path:
        """What is to be saved."""
        return self.folder / "office"

    @property
    def configuration(self) -> Path:
        """The site's tapekit.toml."""
        return self.folder / "tapekit.toml"

    @property
    def state(self) -> Path:
        """What the site's server remembers."""
        return self.folder / "state"

    # --- hands ----------------------------------------------------------------------------------------------------

    def new_disk(self, name: str) -> None:
        """Lay a blank RDX cartridge on the shelf."""
        image.create(str(self.shelf / name), DISK_BYTES)

    def new_tape(self, name: str, size_bytes: int) -> None:
        """Lay a blank tape of so many bytes on the shelf; an eighth of it comes after early warning."""
        reel.create(
            str(self.shelf / name), recording("L6"), capacity=size_bytes, early_warning=size_bytes // 8, barcode=name,
        )  # fmt: skip

    def put(self, name: str) -> None:
        """Put a cartridge into the drive of its kind, in place of what is in. Raises UsageError."""
        if not name or "/" in name or not (self.shelf / name).is_file():
            on_shelf = ", ".join(sorted(path.name for path in self.shelf.iterdir()))
            raise UsageError(f"drill: {name!r}: not on the shelf", f"on it: {on_shelf}")
        drive = self._drive_for(name)
        drive.unlink(missing_ok=True)
        drive.symlink_to(self.shelf / name)

    def take(self) -> None:
        """Take out what is in the drives."""
        for drive in ("rdx", "tape"):
            (self.folder / drive).unlink(missing_ok=True)

    def _drive_for(self, name: str) -> Path:
        return self.folder / ("tape" if name.endswith("L6") else "rdx")

    # --- what goes wrong ------------------------------------------------------------------------------------------

    def will_fail(self, *faults: Fault, is_pulled: bool = False) -> None:
        """The next command that writes meets these faults; the cartridge `is_pulled` out with them."""
        self._faults, self._is_pulled = faults, is_pulled

    def lose(self, *paths: Path) -> None:
        """Something is gone for good."""
        for path in paths:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    # --- commands -------------------------------------------------------------------------------------------------

    def tapekit(self, *words: str, days_ago: int = 0) -> int:
        """Run a command in this scene; its exit code."""
        now = self._now - datetime.timedelta(days=days_ago)
        chosen = self.configuration if self.configuration.exists() else self.folder / ".none.toml"
        chosen.touch()  # an empty one: never this machine's own
        with _surroundings(self.folder, chosen, self.state), clock.running(lambda: now):
            if not self._faults or not any(word in {"nightly", "backup"} for word in words[:1]):
                return self.command(words)
            with drives.through(self._failing):
                code = self.command(words)
        if not self._faults and self._is_pulled:
            self.take()
        return code

    def _failing(self, drive: Drive, is_writable: bool) -> Drive:  # noqa: FBT001 - as drives.through has it
        """The first drive that is opened to write fails; one that was pulled out stays away."""
        if not is_writable or not self._faults:
            return drive
        faulty = FaultyDrive(drive, self._faults)
        self._faults = ()
        if self._is_pulled:
            self.take()
        return faulty

    # --- how it ended ---------------------------------------------------------------------------------------------

    def archives(self, name: str) -> list[Segment]:
        """The archives on a cartridge that lies on the shelf, or is in a drive; none where it is no cartridge yet."""
        scheme = "virtual" if self._drive_for(name).name == "tape" else "image"
        try:
            drive = drives.open_drive(f"{scheme}:{self.shelf / name}", {}, writable=False)
        except DriveError:
            return []
        try:
            return list(open_cartridge(drive).segments())
        except (DriveError, FormatError):
            return []
        finally:
            drive.close()

    def complete(self, name: str) -> int:
        """How many complete archives a cartridge holds."""
        return sum(segment.state == COMPLETE for segment in self.archives(name))


@contextlib.contextmanager
def _surroundings(folder: Path, configuration: Path, state: Path) -> Iterator[None]:
    """The scratch folder as the working directory, and the scene's site as the only one that is known."""
    names = {"TAPEKIT_CONFIG": str(configuration), "TAPEKIT_STATE": str(state)}
    before = {name: os.environ.get(name) for name in names}
    there = Path.cwd()
    os.environ.update(names)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(there)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
