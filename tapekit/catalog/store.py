"""The catalog of a site, as everything else uses it. Each method is one transaction."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Row, select

from formats.catalog import Entry
from tapekit.catalog import members, record, runs, search, stock, upkeep
from tapekit.catalog.database import Database
from tapekit.catalog.errors import NotInCatalog
from tapekit.catalog.pattern import NamePattern
from tapekit.catalog.record import Happening, Use
from tapekit.catalog.runs import Event, Run, Size
from tapekit.catalog.search import Differences, Version
from tapekit.catalog.tables import archives, sites
from tapekit.errors import Exit
from tapekit.model import Cartridge, Copy, Place, Rung, Stock

SUCCESS = frozenset((int(Exit.DONE), int(Exit.WARNINGS)))
"""Exit codes of a night that is on a cartridge."""


class Store(contextlib.AbstractContextManager["Store"]):
    """The catalog of one site. Every method may raise CatalogError."""

    def __init__(self, database: Database, site: str) -> None:
        """Use an open database; see `open`."""
        self._database = database
        self.site = site

    @classmethod
    def open(cls, chosen: str | Path, site: str = "", *, is_read_only: bool = False, must_exist: bool = False) -> Self:
        """The catalog in a file of SQLite, which is made unless it must exist, or behind a URL of PostgreSQL.

        Read-only, nothing is made or changed, not even the files that SQLite keeps beside it.
        """
        return cls(Database(chosen, is_read_only=is_read_only, must_exist=must_exist), site)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def where(self) -> str:
        """The file, or the URL without its password."""
        return self._database.where

    def stock(self) -> Stock:
        """All cartridges of the site with their copies."""
        with self._reading() as (connection, site):
            return stock.read(connection, site, self.site)

    def record_label(self, cartridge: Cartridge, *, replaces: str | None = None) -> None:
        """A cartridge has a label; under the same one, what is known of it is brought up to date.

        A new label destroys the copies under the one before. `replaces` is the id of the label that the medium had
        under another name. Copies in `cartridge` are not taken.
        """
        with self._writing() as (connection, site):
            record.label(connection, site, cartridge, replaces)

    def record_load(
        self, label: str, at: datetime, *, capacity_bytes: int | None = None, remaining_bytes: int | None = None,
        is_write_protected: bool = False, is_worm: bool = False,
    ) -> None:  # fmt: skip
        """A cartridge is in a drive, which says this of it."""
        medium: dict[str, Any] = {"is_write_protected": is_write_protected, "is_worm": is_worm}
        medium |= {"capacity_bytes": capacity_bytes} if capacity_bytes is not None else {}
        medium |= {"remaining_bytes": remaining_bytes} if remaining_bytes is not None else {}
        with self._writing() as (connection, site):
            record.load(connection, site, label, at, medium)

    def record_use(self, label: str, used: Use) -> None:
        """What a run wrote on a cartridge and read from it, and with how many errors."""
        with self._writing() as (connection, site):
            record.use(connection, site, label, used)

    def record_archive(self, label: str, copy: Copy, entries: Iterable[Entry] | None = None) -> None:
        """An archive is on a cartridge, with these members; None where they are not known.

        Written again, it changes nothing; the members of an archive are kept once, from the fullest catalog of it.
        """
        with self._writing() as (connection, site):
            archive_id = record.copy(connection, site, label, copy)
            known = connection.execute(select(archives.c.members).where(archives.c.id == archive_id)).scalar_one()
            if entries is None or (known and known >= copy.members):
                return
            attempt = connection.begin_nested()
            if members.record(connection, site, archive_id, entries) < known:
                attempt.rollback()
            else:
                attempt.commit()

    def record_evidence(self, label: str, archive: str, rung: Rung, at: datetime) -> None:
        """A copy has reached a rung; from read back on, an earlier failure is forgotten."""
        with self._writing() as (connection, site):
            record.reached(connection, site, label, archive, rung, at)

    def record_proofs(self, label: str, found: Iterable[tuple[str, Rung | None, datetime]]) -> None:
        """What copies on a cartridge have reached, or (None) that they were found damaged, in the order of the times.

        The same as one call of the two above and below for each, at the price of one.
        """
        with self._writing() as (connection, site):
            for archive, rung, at in found:
                if rung is None:
                    record.failed(connection, site, label, archive, at, "")
                else:
                    record.reached(connection, site, label, archive, rung, at)

    def record_failure(self, label: str, archive: str, at: datetime, note: str = "") -> None:
        """A copy was found damaged."""
        with self._writing() as (connection, site):
            record.failed(connection, site, label, archive, at, note)

    def mark_overwritten(self, label: str, at: datetime, note: str = "", *, is_relabelled: bool = False) -> None:
        """What was on a cartridge is no more; nor is its label, where it is about to get another one.

        `note` says what was on it.
        """
        with self._writing() as (connection, site):
            record.overwritten(connection, site, label, at, note)
            if is_relabelled:
                record.end_label(connection, site, label, at)

    def move(self, name: str, place: Place, at: datetime, note: str = "") -> None:
        """A cartridge was taken somewhere, or is retired or lost; out of the drive, it is not locked any more."""
        with self._writing() as (connection, site):
            record.place(connection, site, name, place, at, note)

    def lock(self, name: str, at: datetime) -> None:
        """A cartridge was put in for a restore: it is not written until it is unlocked or leaves the drive."""
        with self._writing() as (connection, site):
            record.lock(connection, site, name, at, is_locked=True)

    def unlock(self, name: str, at: datetime) -> None:
        """A cartridge may be written again."""
        with self._writing() as (connection, site):
            record.lock(connection, site, name, at, is_locked=False)

    def history(self, name: str) -> list[Happening]:
        """What happened to a cartridge, oldest first. Raises NotInCatalog."""
        with self._reading() as (connection, site):
            return record.happenings(connection, site, name)

    def begin_run(self, job: str, night: date, at: datetime) -> int:
        """The number of a run that begins."""
        with self._writing() as (connection, site):
            return runs.begin(connection, site, job, night, at)

    def end_run(
        self, number: int, at: datetime, outcome: str, exit_code: int, report: Mapping[str, Any] | None = None
    ) -> None:
        """How a run ended, and its report."""
        ended = Run(number, "", at.date(), at, at, outcome, int(exit_code), dict(report) if report else None)
        with self._writing() as (connection, site):
            runs.end(connection, site, ended)

    def runs(self, job: str | None = None, limit: int | None = None) -> list[Run]:
        """Runs of a job or of all, the latest first."""
        with self._reading() as (connection, site):
            return runs.read(connection, site, job, limit)

    def last_success(self, job: str, codes: frozenset[int] = SUCCESS) -> Run | None:
        """The latest run of a job that ended with one of these exit codes."""
        with self._reading() as (connection, site):
            return runs.last_success(connection, site, job, codes)

    def forget_runs(self, before: date) -> int:
        """Forget runs of nights before a date with their sizes, but never a job's last one nor its last success."""
        with self._writing() as (connection, site):
            return runs.forget(connection, site, before, SUCCESS)

    def record_sizes(self, run: int, found: Mapping[str, int]) -> None:
        """How many bytes each source or database had in a run."""
        with self._writing() as (connection, _):
            runs.add_sizes(connection, run, found)

    def sizes(self, job: str) -> list[Size]:
        """All sizes of a job, oldest first."""
        with self._reading() as (connection, site):
            return runs.read_sizes(connection, site, job)

    def event(self, at: datetime, kind: str, content: Mapping[str, Any]) -> int:
        """Write an event down; its sequence number."""
        with self._writing() as (connection, site):
            return runs.add_event(connection, site, at, kind, content)

    def events(self, after: int = 0) -> list[Event]:
        """The events behind a sequence number, in order."""
        with self._reading() as (connection, site):
            return runs.read_events(connection, site, after)

    def setting(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        """A value that was kept; None where there is none."""
        with self._reading() as (connection, site):
            return runs.setting(connection, site, name)

    def set_setting(self, name: str, value: Any) -> None:  # noqa: ANN401 - any JSON
        """Keep a value."""
        with self._writing() as (connection, site):
            runs.set_setting(connection, site, name, value)

    def archive(self, wanted: str) -> str:
        """The id of the archive that begins so, or of the `latest`. Raises NotInCatalog."""
        with self._reading() as (connection, site):
            return str(_archive(connection, site, wanted)[0].archive)

    def members(self, archive: str) -> Iterator[Entry]:
        """The members of an archive, in their order. Raises NotInCatalog."""
        with self._reading() as (connection, site):
            yield from members.read_all(connection, _archive(connection, site, archive))

    def parts_with(self, archive: str, match: Callable[[bytes], bool]) -> set[int] | None:
        """The parts of an archive on which a member with a path that matches begins or goes on.

        None where not all parts are known with all their members.
        """
        with self._reading() as (connection, site):
            try:
                rows = _archive(connection, site, archive)
            except NotInCatalog:
                return None
            known = {row.segment for row in rows if row.members and record.is_told(connection, row)}
            if known != set(range(len(rows))) or not record.is_last(connection, rows[-1]):
                return None
            found = {row.segment: [e for e in members.read(connection, row) if match(e.path)] for row in rows}
        return {segment for segment, entries in found.items() if entries}

    def find(self, pattern: str, *, ignore_case: bool = False, limit: int = 100) -> list[Version]:
        """Members whose names match (tapekit/catalog/pattern.py), at most so many paths, with all their versions."""
        chosen = NamePattern(pattern, ignore_case=ignore_case)
        with self._reading() as (connection, site):
            return search.versions_of(connection, site, search.find_paths(connection, site, chosen, limit))

    def versions(self, path: bytes) -> list[Version]:
        """Every version of a file that a cartridge holds, the latest first."""
        with self._reading() as (connection, site):
            number = search.path_number(connection, site, path.strip(b"/"))
            return [] if number is None else search.versions_of(connection, site, [number])

    def compare(self, before: str, after: str) -> Differences:
        """What differs from one archive to another. Raises NotInCatalog."""
        with self._reading() as (connection, site):
            first, second = (_archive(connection, site, wanted) for wanted in (before, after))
            return search.compare(connection, [row.id for row in first], [row.id for row in second])

    def check(self) -> list[str]:
        """What is wrong with the database, in words."""
        with self._reading() as (connection, _):
            return upkeep.check(connection)

    def compact(self) -> int:
        """Forget versions of members that no archive holds any more; how many."""
        with self._writing() as (connection, _):
            return upkeep.compact(connection)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[tuple[Connection, int]]:
        with self._database.writing() as connection:
            yield connection, record.site_row(connection, self.site)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[tuple[Connection, int]]:
        """A site that nothing was written of has no row; -1 finds nothing."""
        with self._database.reading() as connection:
            found = connection.execute(select(sites.c.id).where(sites.c.name == self.site)).scalar()
            yield connection, -1 if found is None else found


def _archive(connection: Connection, site: int, wanted: str) -> list[Row[Any]]:
    """The rows of an archive that a cartridge holds, one for each of its segments that are known."""
    if not wanted:
        raise NotInCatalog("archive: the id is empty", "the known ones: tapekit cartridges show NAME")
    query = select(archives).where(archives.c.site_id == site)
    ids = select(archives.c.archive).where(archives.c.site_id == site).distinct()
    if wanted == "latest":
        latest = query.order_by(archives.c.started.desc(), archives.c.id.desc()).limit(1)
        found = [row.archive for row in connection.execute(latest)]
    else:
        begins = archives.c.archive.startswith(wanted.lower(), autoescape=True)
        found = list(connection.execute(ids.where(begins).limit(2)).scalars())
    if len(found) != 1:
        why = "more than one begins like that" if found else "not in the catalog"
        raise NotInCatalog(f"archive {wanted}: {why}", "the known ones: tapekit cartridges show NAME")
    return list(connection.execute(query.where(archives.c.archive == found[0]).order_by(archives.c.segment)).all())
