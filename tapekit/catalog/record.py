"""Writing down what happened to cartridges and copies. Everything runs in a transaction of the caller's."""

import dataclasses
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, case, delete, func, insert, select, update

from formats.segment import COMPLETE
from tapekit.catalog.errors import NotInCatalog
from tapekit.catalog.tables import archives, cartridges, copies, evidence, history, labels, sites
from tapekit.model import GONE, Cartridge, Copy, Place, Rung

LABELLED, LOADED, WRITTEN, VERIFIED, FAILED = "labelled", "loaded", "written", "verified", "failed"
OVERWRITTEN, LOCKED, UNLOCKED = "overwritten", "locked", "unlocked"


@dataclasses.dataclass(frozen=True)
class Happening:
    """One line of a cartridge's history."""

    at: datetime
    kind: str
    note: str


@dataclasses.dataclass(frozen=True)
class Use:
    """What a run did with a cartridge, and how it left it."""

    written_bytes: int = 0
    read_bytes: int = 0
    errors: int = 0
    remaining_bytes: int | None = None


def site_row(connection: Connection, name: str) -> int:
    """The row of a site; made where there is none."""
    found = connection.execute(select(sites.c.id).where(sites.c.name == name)).scalar()
    return found if found is not None else _insert(connection, sites, name=name)


def label(connection: Connection, site: int, cartridge: Cartridge, replaces: str | None) -> None:
    """A cartridge has this label from now on; the copies under its labels before are no more.

    `replaces` is the id of the label that was on the medium, where it had another name.
    """
    row = connection.execute(
        select(cartridges).where(cartridges.c.site_id == site, cartridges.c.name == cartridge.name)
    ).one_or_none()
    if replaces and replaces != cartridge.label:
        end_label(connection, site, replaces, cartridge.labelled)
    known = {
        "pool": cartridge.pool, "is_write_protected": cartridge.is_write_protected, "is_worm": cartridge.is_worm,
        "capacity_bytes": cartridge.capacity_bytes, "remaining_bytes": cartridge.remaining_bytes,
    }  # fmt: skip
    if row is None:
        cartridge_id = _insert(
            connection, cartridges, site_id=site, name=cartridge.name, place=cartridge.place.value,
            is_locked=cartridge.is_locked, **known,
        )  # fmt: skip
    else:
        cartridge_id = row.id
        connection.execute(update(cartridges).where(cartridges.c.id == cartridge_id).values(known))
    present = connection.execute(
        select(labels).where(labels.c.cartridge_id == cartridge_id, labels.c.replaced.is_(None))
    ).one_or_none()
    if present is not None and present.label == cartridge.label:
        return
    if present is not None:
        end_label(connection, site, present.label, cartridge.labelled)
    if row is not None and Place(row.place) in GONE:  # its name is that of another medium, or of a new beginning
        connection.execute(
            update(cartridges).where(cartridges.c.id == cartridge_id).values(place=cartridge.place.value)
        )
    again = (labels.c.cartridge_id == cartridge_id) & (labels.c.label == cartridge.label)
    if connection.execute(update(labels).where(again).values(replaced=None)).rowcount:
        return  # it was to be replaced, and is still there
    _insert(connection, labels, cartridge_id=cartridge_id, label=cartridge.label, labelled=cartridge.labelled)
    if cartridge.labelled is not None:
        happened(connection, cartridge_id, cartridge.labelled, LABELLED, cartridge.label)


def load(connection: Connection, site: int, label_id: str, at: datetime, medium: dict[str, Any]) -> None:
    """A cartridge was put into a drive; `medium` is what the drive says of it, by column. Retired, it stays so."""
    row = label_row(connection, site, label_id)
    where = case((cartridges.c.place == Place.RETIRED.value, Place.RETIRED.value), else_=Place.DRIVE.value)
    connection.execute(
        update(cartridges)
        .where(cartridges.c.id == row.cartridge_id)
        .values(loads=cartridges.c.loads + 1, place=where, **medium)
    )
    happened(connection, row.cartridge_id, at, LOADED)


def use(connection: Connection, site: int, label_id: str, used: Use) -> None:
    """Add up what a run wrote and read."""
    row = label_row(connection, site, label_id)
    left = {} if used.remaining_bytes is None else {"remaining_bytes": used.remaining_bytes}
    connection.execute(
        update(cartridges).where(cartridges.c.id == row.cartridge_id).values(
            written_bytes=cartridges.c.written_bytes + used.written_bytes,
            read_bytes=cartridges.c.read_bytes + used.read_bytes, errors=cartridges.c.errors + used.errors, **left,
        )
    )  # fmt: skip


def copy(connection: Connection, site: int, label_id: str, found: Copy) -> int:
    """A copy is on a cartridge; the row of its archive. What stood in its file before is no more."""
    label_ = label_row(connection, site, label_id)
    archive_id = _archive(connection, site, found)
    connection.execute(
        delete(copies).where(
            copies.c.label_id == label_.id, copies.c.file == found.file, copies.c.archive_id != archive_id
        )
    )
    values = {
        "file": found.file, "state": found.state, "finished": found.finished, "members": found.members,
        "problems": found.problems, "source_bytes": found.source_bytes, "stored_bytes": found.stored_bytes,
    }  # fmt: skip
    present = _copy_row(connection, label_.id, archive_id)
    if present is None:
        copy_id = _insert(connection, copies, label_id=label_.id, archive_id=archive_id, failed=found.failed, **values)
        happened(connection, label_.cartridge_id, found.finished or found.started, WRITTEN, found.archive)
    else:
        copy_id = present.id
        connection.execute(update(copies).where(copies.c.id == copy_id).values(values))
    for rung, at in found.evidence:
        _reach(connection, copy_id, rung, at)
    forget_archives(connection, site)
    return archive_id


def reached(connection: Connection, site: int, label_id: str, archive: str, rung: Rung, at: datetime) -> None:
    """A copy has reached a rung; read back or better, an older failure counts no more."""
    label_, row = _known_copy(connection, site, label_id, archive)
    _reach(connection, row.id, rung, at)
    if rung >= Rung.READ_BACK:
        if row.failed is not None and row.failed <= at:
            connection.execute(update(copies).where(copies.c.id == row.id).values(failed=None))
        happened(connection, label_.cartridge_id, at, VERIFIED, f"{archive}: {rung.words}")


def failed(connection: Connection, site: int, label_id: str, archive: str, at: datetime, note: str) -> None:
    """A verification of a copy has failed."""
    label_, row = _known_copy(connection, site, label_id, archive)
    connection.execute(update(copies).where(copies.c.id == row.id).values(failed=at))
    happened(connection, label_.cartridge_id, at, FAILED, f"{archive}: {note}" if note else archive)


def overwritten(connection: Connection, site: int, label_id: str, at: datetime, note: str = "") -> None:
    """What was on a cartridge is no more; its label stays."""
    row = label_row(connection, site, label_id)
    connection.execute(delete(copies).where(copies.c.label_id == row.id))
    happened(connection, row.cartridge_id, at, OVERWRITTEN, note)
    forget_archives(connection, site)


def end_label(connection: Connection, site: int, label_id: str, at: datetime | None) -> None:
    """A label is gone from its medium, and all copies under it."""
    rows = connection.execute(
        select(labels.c.id)
        .join(cartridges, cartridges.c.id == labels.c.cartridge_id)
        .where(cartridges.c.site_id == site, labels.c.label == label_id, labels.c.replaced.is_(None))
    ).scalars().all()  # fmt: skip
    for row in rows:
        connection.execute(delete(copies).where(copies.c.label_id == row))
        ended = at or connection.execute(select(labels.c.labelled).where(labels.c.id == row)).scalar()
        connection.execute(update(labels).where(labels.c.id == row).values(replaced=ended))
    forget_archives(connection, site)


def place(connection: Connection, site: int, name: str, where: Place, at: datetime, note: str) -> None:
    """A cartridge was taken somewhere; out of the drive, it is not locked any more."""
    cartridge_id = cartridge_row(connection, site, name).id
    values: dict[str, Any] = {"place": where.value}
    if where is not Place.DRIVE:
        values["is_locked"] = False
    connection.execute(update(cartridges).where(cartridges.c.id == cartridge_id).values(values))
    happened(connection, cartridge_id, at, where.value, note)


def lock(connection: Connection, site: int, name: str, at: datetime, *, is_locked: bool) -> None:
    """A cartridge was put in for a restore, or may be written again."""
    cartridge_id = cartridge_row(connection, site, name).id
    connection.execute(update(cartridges).where(cartridges.c.id == cartridge_id).values(is_locked=is_locked))
    happened(connection, cartridge_id, at, LOCKED if is_locked else UNLOCKED)


def happenings(connection: Connection, site: int, name: str) -> list[Happening]:
    """The history of a cartridge, oldest first."""
    rows = connection.execute(
        select(history)
        .where(history.c.cartridge_id == cartridge_row(connection, site, name).id)
        .order_by(history.c.at, history.c.id)
    )
    return [Happening(row.at, row.kind, row.note) for row in rows]


def happened(connection: Connection, cartridge_id: int, at: datetime, kind: str, note: str = "") -> None:
    """One line more in the history of a cartridge; a line that is there already is not written twice."""
    line = {"cartridge_id": cartridge_id, "at": at, "kind": kind, "note": note}
    if connection.execute(select(history.c.id).filter_by(**line).limit(1)).scalar() is None:
        connection.execute(insert(history).values(line))


def forget_archives(connection: Connection, site: int) -> None:
    """Archives of which no copy is left, with what they held."""
    held = select(copies.c.id).where(copies.c.archive_id == archives.c.id).exists()
    connection.execute(delete(archives).where(archives.c.site_id == site, ~held))


def is_told(connection: Connection, archive: Any) -> bool:  # noqa: ANN401 - a row
    """Whether all members of an archive's segment are known."""
    most = select(func.max(copies.c.members)).where(copies.c.archive_id == archive.id)
    return bool(archive.members >= (connection.execute(most).scalar() or 0))


def is_last(connection: Connection, archive: Any) -> bool:  # noqa: ANN401 - a row
    """Whether an archive ends in this segment."""
    states = connection.execute(select(copies.c.state).where(copies.c.archive_id == archive.id)).scalars()
    return COMPLETE in states


def cartridge_row(connection: Connection, site: int, name: str) -> Any:  # noqa: ANN401 - a row
    """The row of a cartridge. Raises NotInCatalog."""
    found = connection.execute(
        select(cartridges).where(cartridges.c.site_id == site, cartridges.c.name == name)
    ).one_or_none()
    if found is None:
        raise NotInCatalog(f"cartridge {name}: not in the catalog", "the known ones: tapekit cartridges list")
    return found


def label_row(connection: Connection, site: int, label_id: str) -> Any:  # noqa: ANN401 - a row
    """The row of a label that is on a cartridge now. Raises NotInCatalog."""
    found = connection.execute(
        select(labels)
        .join(cartridges, cartridges.c.id == labels.c.cartridge_id)
        .where(cartridges.c.site_id == site, labels.c.label == label_id, labels.c.replaced.is_(None))
    ).one_or_none()
    if found is None:
        raise NotInCatalog(
            f"cartridge with label {label_id[:8]}: not in the catalog", "make it known: tapekit catalog rebuild DRIVE"
        )
    return found


def _archive(connection: Connection, site: int, found: Copy) -> int:
    row = connection.execute(
        select(archives.c.id).where(
            archives.c.site_id == site, archives.c.archive == found.archive, archives.c.segment == found.segment
        )
    ).scalar()
    if row is not None:
        return int(row)
    return _insert(
        connection, archives, site_id=site, archive=found.archive, segment=found.segment, job=found.job,
        night=found.night, started=found.started, members=0, first_offset=0, is_ordered=True,
    )  # fmt: skip


def _known_copy(connection: Connection, site: int, label_id: str, archive: str) -> tuple[Any, Any]:
    label_ = label_row(connection, site, label_id)
    row = connection.execute(
        select(copies)
        .join(archives, archives.c.id == copies.c.archive_id)
        .where(copies.c.label_id == label_.id, archives.c.site_id == site, archives.c.archive == archive)
    ).first()
    if row is None:
        raise NotInCatalog(f"archive {archive[:8]}: the catalog knows no copy of it on that cartridge")
    return label_, row


def _copy_row(connection: Connection, label_row_id: int, archive_id: int) -> Any:  # noqa: ANN401 - a row
    return connection.execute(
        select(copies).where(copies.c.label_id == label_row_id, copies.c.archive_id == archive_id)
    ).one_or_none()


def _reach(connection: Connection, copy_id: int, rung: Rung, at: datetime) -> None:
    """Keep the latest time of a rung."""
    which = (evidence.c.copy_id == copy_id) & (evidence.c.rung == int(rung))
    known = connection.execute(select(evidence.c.at).where(which)).scalar()
    if known is None:
        connection.execute(insert(evidence).values(copy_id=copy_id, rung=int(rung), at=at))
    elif known < at:
        connection.execute(update(evidence).where(which).values(at=at))


def _insert(connection: Connection, table: Table, **values: Any) -> int:  # noqa: ANN401 - what the columns hold
    """The number of the new row."""
    key = connection.execute(insert(table).values(values)).inserted_primary_key
    return int(key[0]) if key else 0
