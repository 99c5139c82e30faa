"""The tables of tapekit.toml.

The text below each field is its description in the JSON schema and in docs/configuration.md.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from tapekit.config.fields import (
    Absence,
    AbsolutePath,
    CartridgeName,
    EachOnce,
    Holiday,
    Name,
    Period,
    Table,
    Text,
    TimeOfDay,
    Url,
    form,
    no_such,
    problem,
    refers_to,
    short_form,
)
from tapekit.config.values import Duration

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Count = Annotated[int, Field(strict=True, ge=0, le=1000)]
Several = Annotated[int, Field(strict=True, ge=1, le=1000)]
Percent = Annotated[int, Field(strict=True, ge=1, le=100)]
Flag = Annotated[bool, Field(strict=True)]
SiteName = Annotated[Text, Field(max_length=200)]
DriveUrl = Annotated[Text, *form("[a-z]+:.+", "a drive such as image:/srv/a.tkc or disk:/dev/disk/by-id/…")]
ChangerUrl = Annotated[Text, *form("(?:virtual-)?changer:.+", "a changer such as changer:/dev/sg3")]
Command = Annotated[tuple[Text, ...], Field(min_length=1)]


class Site(Table):
    """Who and where this is."""

    name: SiteName
    """Name of the site: in archive headers and reports. Cartridges of another name are foreign."""
    language: Literal["en", "fr"] = "en"
    """Language of reports and mails."""
    state: AbsolutePath | None = None
    """Folder for the catalog, the evidence journal and reports; /var/lib/tapekit for root without it."""
    catalog: str = "sqlite"
    """`sqlite` (a file in the state folder), or the URL of a PostgreSQL database, without its password."""
    catalog_password_file: AbsolutePath | None = None
    """File whose first line is the password of the catalog's database."""

    @field_validator("catalog")
    @classmethod
    def _catalog(cls, catalog: str) -> str:
        if catalog == "sqlite":
            return catalog
        if not catalog.startswith(("postgresql://", "postgresql+psycopg://")):
            raise problem("expected sqlite, or a URL that begins with postgresql://")
        if ":" in catalog.partition("://")[2].rpartition("@")[0] or "password=" in catalog:
            raise problem(
                "a password has no place in this file", "write it to a file, and name that: catalog_password_file"
            )
        return catalog


class Calendar(Table):
    """The days without a night."""

    closed: Annotated[tuple[Weekday, ...], EachOnce] = ()
    """Days of the week without a night."""
    holidays: tuple[Holiday, ...] = ()
    """Dates without a night; without the year, that day of every year."""
    country: Annotated[str, *form("[A-Z]{2}", "the two capital letters of a country")] | None = None
    """Country whose public holidays have no night, by its two letters (ISO 3166-1)."""
    region: Annotated[str, *form("[A-Za-z0-9]{1,10}", "the letters of a region, without the country")] | None = None
    """Region of the country that has holidays of its own (ISO 3166-2, without the country)."""
    absences: tuple[Absence, ...] = ()
    """Days on which nobody is there to change a cartridge, the first and the last included."""

    @model_validator(mode="after")
    def _holidays_are_known(self) -> Self:
        if self.region and not self.country:
            raise problem("region: stands without a country")
        if self.country:
            import holidays  # noqa: PLC0415 - a large library, for those who use it

            countries = holidays.list_supported_countries()
            if self.country not in countries:
                raise problem(f"country: no public holidays are known of {self.country}", "list them as holidays")
            if self.region and self.region not in countries[self.country]:
                known = ", ".join(countries[self.country]) or "none"
                raise problem(f"region: {self.country} has no region {self.region}", f"it has: {known}")
        return self


class Keys(Table):
    """Who can open what is written; docs/keys.md."""

    directory: AbsolutePath | None = None
    """Folder of the public keys; `keys` beside this file without it."""
    proven_within: Period = Duration(35, "day")
    """So often a person shows that a key opens a cartridge; then `tapekit status` warns."""


class Drive(Table):
    """A drive; it may be written as its URL alone."""

    url: DriveUrl
    """image:FILE or disk:/dev/disk/by-id/…"""
    changer: ChangerUrl | None = None
    """The changer that fills this drive, such as changer:/dev/sg3: nights fetch their cartridges from its slots."""
    number: Count = 0
    """Which of the changer's drives it is, counted from 0."""


class Pool(Table):
    """A media pool: cartridges that keep a night equally long."""

    retention: Period
    """How long a night on a cartridge of this pool stays protected."""


class _Rotation(Table):
    per_night: Several = 1
    """Cartridges written each night, the same archive on each, one after the other."""
    reuse: Literal["append", "overwrite"] = "append"
    """`append`: behind what is there while there is room; `overwrite`: each time, once all on it has expired."""
    prefix: Annotated[str, *form("[!-~]{0,16}", "at most 16 printable ASCII characters")] = ""
    """Stands before each cartridge's name."""


PoolName = Annotated[Name, refers_to("pools")]
Cartridges = Annotated[tuple[CartridgeName, ...], EachOnce]


class Weekdays(_Rotation):
    """A cartridge for each day of the week."""

    scheme: Literal["weekdays"]
    """One cartridge for each day of the week."""
    days: Annotated[tuple[Weekday, ...], Field(min_length=5, max_length=7), EachOnce] = (
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
    )
    """The days that have a cartridge: 5, 6 or 7 of them."""
    sets: Several = 1
    """Cartridges for each day; they take turns from week to week."""
    pool: PoolName
    """Pool of the cartridges."""
    cartridges: Cartridges = ()
    """Names of the cartridges, day by day, set by set; MON-1, TUE-1 … without it."""

    @model_validator(mode="after")
    def _one_for_each_day(self) -> Self:
        wanted = len(self.days) * self.sets
        if self.cartridges and len(self.cartridges) != wanted:
            raise problem(f"cartridges: {len(self.cartridges)} names, expected {wanted}: one for each day and set")
        return self


class GrandfatherFatherSon(_Rotation):
    """Daily, weekly, monthly and yearly cartridges."""

    scheme: Literal["gfs"]
    """Grandfather, father, son: daily, weekly, monthly and yearly cartridges."""
    daily: Several
    """How many daily cartridges."""
    weekly: Count
    """How many weekly ones; 0: none."""
    monthly: Count
    """How many monthly ones; 0: none."""
    yearly: Count = 0
    """How many yearly ones; 0: none."""
    daily_pool: Name = Field("daily", validate_default=True)
    """Pool of the daily cartridges."""
    weekly_pool: Name = Field("weekly", validate_default=True)
    """Pool of the weekly cartridges."""
    monthly_pool: Name = Field("monthly", validate_default=True)
    """Pool of the monthly cartridges."""
    yearly_pool: Name = Field("yearly", validate_default=True)
    """Pool of the yearly cartridges."""

    @field_validator("daily_pool", "weekly_pool", "monthly_pool", "yearly_pool")
    @classmethod
    def _pool_is_there(cls, name: str, info: ValidationInfo) -> str:
        pools = (info.context or {}).get("pools")
        count = info.data.get((info.field_name or "").removesuffix("_pool"), 0)
        if pools is not None and count and name not in pools:
            raise no_such("pools", name, pools)
        return name


class _Counted(_Rotation):
    pool: PoolName
    """Pool of the cartridges."""
    count: Several | None = None
    """How many cartridges."""
    cartridges: Cartridges = ()
    """Names of the cartridges, instead of a count."""

    @model_validator(mode="after")
    def _how_many(self) -> Self:
        if (self.count is None) == (not self.cartridges):
            raise problem("expected either count or cartridges")
        return self


class Hanoi(_Counted):
    """Tower of Hanoi."""

    scheme: Literal["hanoi"]
    """Tower of Hanoi: cartridge A every second night, B every fourth, C every eighth …"""


class RoundRobin(_Counted):
    """One cartridge after the other."""

    scheme: Literal["round-robin"]
    """One cartridge after the other."""


Rotation = Annotated[Weekdays | GrandfatherFatherSon | Hanoi | RoundRobin, Field(discriminator="scheme")]


class Hook(Table):
    """A command that a job runs."""

    command: Command
    """The program and its arguments; no shell reads them."""
    timeout: Period = Duration(10, "minute")
    """After that it is stopped, and has failed."""


class Snapshot(Table):
    """A pair of commands: the sources are read between them."""

    create: Command
    """Makes the snapshot; where it fails, that is told, and what is there is saved."""
    remove: Command
    """Removes it, whatever has happened."""
    timeout: Period = Duration(5, "minute")
    """For each of the two."""


class Source(Table):
    """A path that is saved; it may be written as the path alone."""

    path: AbsolutePath
    """File or directory, with all below it."""
    size_drop: Percent = 50
    """Percent: smaller than last time by more is a warning."""


class _Database(Table):
    timeout: Period = Duration(2, "hour")
    """After that the dump is stopped, and has failed."""
    size_drop: Percent = 50
    """Percent: a dump smaller than the last one by more is a warning."""


class PostgreSQL(_Database):
    """A PostgreSQL database, dumped by pg_dump."""

    kind: Literal["postgresql"]
    """Dumped by pg_dump."""
    name: Text
    """Name of the database."""
    host: Text | None = None
    """Host, or folder of the socket; the local socket without it."""
    port: Annotated[int, Field(strict=True, ge=1, le=65535)] | None = None
    """Port; PostgreSQL's own without it."""
    user: Text | None = None
    """The database's user."""
    password_file: AbsolutePath | None = None
    """File whose first line is the user's password."""


class SQLite(_Database):
    """An SQLite database, saved by its backup interface and checked."""

    kind: Literal["sqlite"]
    """Saved by SQLite's backup interface, and its integrity checked."""
    path: AbsolutePath
    """The database's file."""


Database = Annotated[PostgreSQL | SQLite, Field(discriminator="kind")]
DriveName = Annotated[Name, refers_to("drives")]


class Job(Table):
    """What is saved each night, where, and how."""

    sources: tuple[Annotated[Source, short_form("path", Source)], ...] = ()
    """What is saved: paths, or tables with path and size_drop."""
    exclude: tuple[Text, ...] = ()
    """Patterns of what is left out, as in .gitignore."""
    drive: DriveName | None = None
    """The drive it is written to."""
    drives: Annotated[tuple[DriveName, ...], EachOnce] = ()
    """Instead of drive: several drives in reach."""
    rotation: Annotated[Name, refers_to("rotations")]
    """Which cartridge goes in on which night."""
    time: TimeOfDay
    """When it begins, local time."""
    check_time: TimeOfDay | None = None
    """When the evening check looks for the right cartridge; two hours before the job without it."""
    compression: Annotated[
        str, *form("auto|none|zstd(?::(?:[1-9]|1[0-9]|2[0-2]))?", "auto, none, zstd or zstd:LEVEL")
    ] = "auto"
    """`auto` (tries a sample of each block first), `none`, `zstd`, `zstd:LEVEL` (1 to 22)."""
    parity: bool | None = None
    """About 3 % more is written, and damage to the medium is corrected; without it: on disks, not on tape."""
    tape_buffer_mib: Annotated[int, Field(strict=True, ge=16, le=65536)] | None = None
    """Memory for a tape drive, in MiB, which stops less often the more there is; without it: 512, at most a quarter."""
    encryption: Literal["auto", "none"] = "auto"
    """`auto`: for every key of the site, once there is one; `none`: never, and no report says so."""
    incremental: Flag = True
    """Behind archives of the job on the same cartridge, only what changed since is written."""
    full_every: Annotated[Count, Field(ge=1)] = 7
    """So many archives at most build upon each other on a cartridge: the next one is full."""
    rehash: Annotated[Count, Field(le=100)] = 0
    """Percent of the unchanged files that each night reads all the same, in turn: finds what a bad disk changed."""
    verify: Literal["compare", "read-back", "none"] = "compare"
    """`compare`: read back and compared with the source; `read-back`: read back; `none`: only flushed."""
    sample_restore: Count = 5
    """Files restored as a sample with the cartridge's own rescue kit; 0: none."""
    eject: Flag = True
    """Eject the cartridge at the end."""
    on_insert: Literal["tell", "run"] = "tell"
    """When a cartridge is put in: `tell` whether it is the right one, or `run` the job if it is (`tapekit attend`)."""
    spool: AbsolutePath | None = None
    """Folder where a night goes when no cartridge can take it."""
    overdue_after: Period = Duration(2, "day")
    """Without a success for that long, the job is overdue."""
    wait: Period = Duration(2, "hour")
    """How long to wait for another run on the drive; then another drive takes the night, or the spool."""
    before: tuple[Hook, ...] = ()
    """Commands before anything is read; one that fails is told, and the night goes on."""
    after: tuple[Hook, ...] = ()
    """Commands after a night that is on a cartridge."""
    on_failure: tuple[Hook, ...] = ()
    """Commands after a night that is on none: it failed, or waits in the spool."""
    snapshot: Snapshot | None = None
    """Commands that make and remove a snapshot of the sources."""
    databases: tuple[Database, ...] = ()
    """Databases that are dumped and saved with the sources."""

    @property
    def in_reach(self) -> tuple[str, ...]:
        """Names of all drives that the job may use."""
        return (self.drive,) if self.drive is not None else self.drives

    @model_validator(mode="after")
    def _has_something_to_do(self) -> Self:
        if (self.drive is None) == (not self.drives):
            raise problem("expected either drive or drives")
        if not self.sources and not self.databases:
            raise problem("nothing to save: expected sources or databases")
        if twice := _twice([str(source.path) for source in self.sources]):
            raise problem(f"sources: {twice} is named twice")
        return self


class Notification(Table):
    """Where a report is sent; it may be written as its URL alone."""

    url: Url | None = None
    """URL of the notification library (apprise), without a password."""
    url_file: AbsolutePath | None = None
    """File whose first line is the URL, password included."""
    url_env: Annotated[str, *form("[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")] | None = None
    """Environment variable that holds the URL, password included."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum(value is not None for value in (self.url, self.url_file, self.url_env)) != 1:
            raise problem("expected one of url, url_file and url_env")
        return self


Notified = Annotated[Notification, short_form("url", Notification)]


class Notifications(Table):
    """Who hears of a night, and what is kept of it."""

    always: tuple[Notified, ...] = ()
    """Where every night's report is sent: URLs, or tables with url_file or url_env."""
    problems: tuple[Notified, ...] = ()
    """Where it is sent only if the night was not clean."""
    prometheus: AbsolutePath | None = None
    """Textfile for Prometheus's node exporter."""
    html: AbsolutePath | None = None
    """Folder for the reports as HTML pages."""
    retention: Period = Duration(1, "year")
    """How long reports and runs are kept."""


class Configuration(Table):
    """The whole file."""

    site: Site
    """Who and where this is."""
    calendar: Calendar = Calendar()
    """The days without a night."""
    keys: Keys = Keys()
    """Who can open what is written."""
    drives: dict[Name, Annotated[Drive, short_form("url", Drive)]] = Field(default_factory=dict)
    """Drives by name: URLs, or tables with url."""
    pools: dict[Name, Pool] = Field(default_factory=dict)
    """Media pools by name."""
    rotations: dict[Name, Rotation] = Field(default_factory=dict)
    """Rotations by name."""
    jobs: dict[Name, Job] = Field(default_factory=dict)
    """Jobs by name."""
    notifications: Notifications = Notifications()
    """Who hears of a night, and what is kept of it."""


def _twice(items: list[str]) -> str | None:
    return next((item for item in items if items.count(item) > 1), None)
