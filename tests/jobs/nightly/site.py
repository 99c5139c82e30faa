"""A small site on image files: drives into which cartridges are put, a clock, and nights that run in this process."""

import dataclasses
import json
import shutil
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from drivers import image
from tapekit import clock
from tapekit.catalog.store import Store
from tapekit.config.schema import Configuration
from tapekit.jobs.nightly.run import run
from tapekit.jobs.nightly.setting import Setting, setting
from tapekit.model import Stock
from tapekit.progress import Silent
from tapekit.report.night import NightReport

FIRST_NIGHT = date(2026, 3, 2)
"""A Monday."""
FIRST_EVENING = datetime.combine(FIRST_NIGHT, time(21, 30), UTC)


@dataclasses.dataclass
class Site:
    """One drive, a shelf with cartridges, a source."""

    root: Path
    size_bytes: int = 64 << 20
    options: dict[str, object] = dataclasses.field(default_factory=dict)
    rotation: dict[str, object] = dataclasses.field(
        default_factory=lambda: {"scheme": "weekdays", "pool": "daily", "sets": 1}
    )
    calendar: dict[str, object] = dataclasses.field(default_factory=dict)
    pools: dict[str, object] = dataclasses.field(default_factory=lambda: {"daily": {"retention": "6 days"}})
    site: dict[str, object] = dataclasses.field(default_factory=dict)
    notifications: dict[str, object] = dataclasses.field(default_factory=dict)
    keys: dict[str, object] = dataclasses.field(default_factory=dict)
    now: datetime = FIRST_EVENING

    def __post_init__(self) -> None:
        self.source.mkdir(parents=True, exist_ok=True)
        (self.source / "file").write_bytes(b"the first night")
        self.shelf.mkdir(exist_ok=True)

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def shelf(self) -> Path:
        return self.root / "shelf"

    @property
    def drive(self) -> Path:
        """The file that the drive reads; a link to a cartridge on the shelf."""
        return self.root / "drive"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    def configuration(self) -> Configuration:
        return Configuration.model_validate(self.content())

    def write_configuration(self) -> Path:
        """The same as a file, for the commands."""
        path = self.root / "tapekit.toml"
        path.write_text("".join(f"{table} = {_toml(value)}\n" for table, value in self.content().items()))
        return path

    def content(self) -> dict[str, object]:
        job = {
            "sources": [str(self.source)], "drive": "rdx", "rotation": "turns", "time": "21:30", "sample_restore": 0,
            "spool": str(self.spool), "compression": "none", **self.options,
        }  # fmt: skip
        return {
            "site": {"name": "test", "state": str(self.root / "state"), **self.site}, "calendar": self.calendar,
            "drives": {"rdx": f"image:{self.drive}"}, "pools": self.pools,
            "rotations": {"turns": self.rotation}, "jobs": {"office": {k: v for k, v in job.items() if v is not None}},
            "notifications": self.notifications, "keys": {"directory": str(self.root / "keys"), **self.keys},
        }  # fmt: skip

    def setting(self) -> Setting:
        return setting(self.configuration(), "office")

    def cartridge(self, name: str) -> Path:
        return self.shelf / name

    def put_in(self, name: str | None) -> None:
        """Put a cartridge into the drive, a blank one where there is none of that name; None: take out what is in."""
        self.drive.unlink(missing_ok=True)
        if name is None:
            return
        if not self.cartridge(name).exists():
            image.create(str(self.cartridge(name)), self.size_bytes)
        self.drive.symlink_to(self.cartridge(name))

    def run(self, night: date | None = None) -> NightReport:
        with clock.running(lambda: self.now):
            return run(self.setting(), Silent(), night)

    def next_day(self, days: int = 1) -> None:
        self.now += timedelta(days)
        (self.source / "file").write_bytes(f"the night of {self.now.date()}".encode())

    def stock(self) -> Stock:
        with Store.open(self.root / "state" / "catalog.sqlite", "test") as store:
            return store.stock()

    def names(self) -> list[bytes]:
        """Every name that the catalog knows."""
        with Store.open(self.root / "state" / "catalog.sqlite", "test") as store:
            return [version.entry.path for version in store.find("*")]

    def lose(self, name: str) -> None:
        """A cartridge is gone for good."""
        if self.drive.is_symlink() and self.drive.readlink() == self.cartridge(name):
            self.drive.unlink()
        self.cartridge(name).unlink()

    def forget(self) -> None:
        """The server's own memory is gone."""
        shutil.rmtree(self.root / "state")


def _toml(value: object) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
