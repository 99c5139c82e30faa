"""A job of the configuration, as the night needs it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tapekit.catalog.store import Store
from tapekit.config import schema
from tapekit.config.file import SYSTEM_FILE
from tapekit.config.places import KEYS_FOLDER
from tapekit.config.schema import Configuration, Job
from tapekit.deltas.session import Incremental
from tapekit.dumps import postgresql
from tapekit.errors import TapekitError, UsageError
from tapekit.evidence import state_directory
from tapekit.jobs import lookup
from tapekit.jobs.backup import Request
from tapekit.jobs.nightly.feed import Feed
from tapekit.jobs.nightly.prepare import Hook, PostgreSQL, Preparation, Snapshot, SQLite
from tapekit.jobs.nightly.prove import Depth
from tapekit.jobs.sealing import Sealing, sealing
from tapekit.keys import ring
from tapekit.source.exclude import Excludes
from tapekit.source.walk import Options, plan_sources


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a run of one job is told."""

    name: str
    job: Job
    configuration: Configuration
    state: Path
    busy: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Drives that somebody else holds, and who: this run does without them."""

    @property
    def site(self) -> str:
        """Name of the site."""
        return self.configuration.site.name

    @property
    def language(self) -> Literal["en", "fr"]:
        """Language of reports."""
        return self.configuration.site.language

    @property
    def drives(self) -> tuple[tuple[str, str], ...]:
        """Name and URL of each drive in reach."""
        return tuple((name, self.configuration.drives[name].url) for name in self._free)

    @property
    def _free(self) -> tuple[str, ...]:
        return tuple(name for name in self.job.in_reach if name not in self.busy)

    def without(self, busy: Mapping[str, TapekitError]) -> "Setting":
        """The same job where others hold some of the drives or changers, by URL."""
        drives = {name: self.configuration.drives[name] for name in self.job.in_reach}
        held = {name: why for name, it in drives.items() for url, why in busy.items() if url in (it.url, it.changer)}
        return dataclasses.replace(self, busy={name: str(why) for name, why in held.items()})

    @property
    def feeds(self) -> dict[str, Feed]:
        """By URL of each drive in reach that a changer fills: which changer."""
        drives = [self.configuration.drives[name] for name in self._free]
        return {drive.url: Feed(drive.changer, drive.number) for drive in drives if drive.changer is not None}

    @property
    def depth(self) -> Depth:
        """How far a night is proven."""
        return Depth(self.job.verify, self.job.sample_restore)

    @property
    def dumps(self) -> Path:
        """Where dumps lie while they are saved."""
        return self.state / "dumps" / self.name

    @property
    def locks(self) -> Path:
        """Where the locks of drives are."""
        return self.state / "locks"

    @property
    def traces(self) -> Path:
        """Where runs leave their trace."""
        return self.state / "runs"

    def open_catalog(self, *, is_read_only: bool = False) -> Store:
        """The catalog. Raises UsageError, CatalogError."""
        site = self.configuration.site
        place = lookup.place(self.state, site.catalog, site.catalog_password_file)
        return Store.open(place, self.site, is_read_only=is_read_only)

    @property
    def databases(self) -> tuple[str, ...]:
        """Names of the databases, as reports have them."""
        return tuple(_database(database).name for database in self.job.databases)

    def size_drops(self) -> dict[str, int]:
        """By source and database: a size smaller by more than that many percent is told."""
        drops = {str(source.path): source.size_drop for source in self.job.sources}
        drops |= {_database(database).name: database.size_drop for database in self.job.databases}
        return drops

    @property
    def keys(self) -> Path:
        """Where the site's public keys are."""
        return self.configuration.keys.directory or SYSTEM_FILE.parent / KEYS_FOLDER

    def sealing(self) -> Sealing:
        """Whom the night is encrypted for, and what signs it. Raises KeyRefused."""
        return sealing(self.keys, self.state, is_encrypted=self.job.encryption != "none")

    def refused_keys(self) -> TapekitError | None:
        """Why `sealing` would refuse: there are keys, and none of them gives data back. Nothing is made."""
        try:
            if self.job.encryption != "none":
                ring.read(self.keys).checked_recipients()
        except TapekitError as error:
            return error
        return None

    def request(self, dumps: Path | None, sealed: Sealing) -> Request:
        """What is to be written: the sources, and the dumps where there are any."""
        paths = [str(source.path) for source in self.job.sources] + ([str(dumps)] if dumps else [])
        options, pool = Options(Excludes(self.job.exclude)), self.job.tape_buffer_mib
        return Request(
            plan_sources(paths), options, self.name, self.job.compression, self.site, sealed.recipients,
            sealed.site_key, self.job.parity, pool << 20 if pool else None,
            self.incremental,
        )  # fmt: skip

    @property
    def incremental(self) -> Incremental | None:
        """How the job's archives build upon each other."""
        job = self.job
        return Incremental(self.state, job.full_every, rehash=job.rehash) if job.incremental else None

    def preparation(self) -> Preparation:
        """Hooks, snapshot and databases."""
        job = self.job
        snapshot = None
        if job.snapshot is not None:
            limit = job.snapshot.timeout.seconds
            snapshot = Snapshot(Hook(job.snapshot.create, limit), Hook(job.snapshot.remove, limit))
        return Preparation(
            _hooks(job.before), _hooks(job.after), _hooks(job.on_failure), snapshot,
            tuple(_database(database) for database in job.databases),
        )  # fmt: skip


def setting(configuration: Configuration, name: str) -> Setting:
    """The job of that name. Raises UsageError where there is none."""
    job = configuration.jobs.get(name)
    if job is None:
        known = ", ".join(sorted(configuration.jobs)) or "none"
        raise UsageError(f"job: there is no {name!r}", f"jobs in the configuration: {known}")
    return Setting(name, job, configuration, configuration.site.state or state_directory())


def _hooks(hooks: tuple[schema.Hook, ...]) -> tuple[Hook, ...]:
    return tuple(Hook(hook.command, hook.timeout.seconds) for hook in hooks)


def _database(database: schema.PostgreSQL | schema.SQLite) -> PostgreSQL | SQLite:
    if isinstance(database, schema.SQLite):
        return SQLite(database.path, database.path.name, database.timeout.seconds)
    server = postgresql.Database(
        database.name, database.host or "", database.port, database.user or "", password_file=database.password_file
    )
    return PostgreSQL(server, database.timeout.seconds)
