"""Reading the stock: every cartridge with the copies on it, as values."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from tapekit.catalog.tables import archives, cartridges, copies, evidence, history, labels
from tapekit.model import Cartridge, Copy, Place, Rung, Stock

_COPY_ORDER = (copies.c.label_id, copies.c.file)


def read(connection: Connection, site: int, site_name: str) -> Stock:
    """Every cartridge of a site by name, its copies oldest first."""
    held = _copies(connection, site)
    last = dict(
        connection.execute(
            select(history.c.cartridge_id, func.max(history.c.at)).where(history.c.kind == "written").group_by(
                history.c.cartridge_id
            )
        ).all()
    )  # fmt: skip
    rows = connection.execute(
        select(cartridges, labels.c.id.label("label_id"), labels.c.label, labels.c.labelled)
        .outerjoin(labels, (labels.c.cartridge_id == cartridges.c.id) & labels.c.replaced.is_(None))
        .where(cartridges.c.site_id == site)
        .order_by(cartridges.c.name)
    )
    return Stock(tuple(_cartridge(row, site_name, held.get(row.label_id, ()), last.get(row.id)) for row in rows))


def _cartridge(row: Row[Any], site: str, held: Sequence[Copy], written: datetime | None) -> Cartridge:
    finished = max((copy.finished or copy.started for copy in held), default=None)
    return Cartridge(
        name=row.name, label=row.label or "", pool=row.pool, site=site, place=Place(row.place), copies=tuple(held),
        labelled=row.labelled, last_written=max((at for at in (written, finished) if at), default=None),
        capacity_bytes=row.capacity_bytes, remaining_bytes=row.remaining_bytes, is_locked=row.is_locked,
        is_write_protected=row.is_write_protected, is_worm=row.is_worm, loads=row.loads,
        written_bytes=row.written_bytes, read_bytes=row.read_bytes, errors=row.errors,
    )  # fmt: skip


def _copies(connection: Connection, site: int) -> dict[int, list[Copy]]:
    """Copies by the row of their label."""
    rungs: dict[int, list[tuple[Rung, datetime]]] = defaultdict(list)
    for row in connection.execute(select(evidence).order_by(evidence.c.copy_id, evidence.c.rung)):
        rungs[row.copy_id].append((Rung(row.rung), row.at))
    found: dict[int, list[Copy]] = defaultdict(list)
    rows = connection.execute(
        select(copies, archives.c.archive, archives.c.segment, archives.c.job, archives.c.night, archives.c.started)
        .join(archives, archives.c.id == copies.c.archive_id)
        .where(archives.c.site_id == site)
        .order_by(*_COPY_ORDER)
    )
    for row in rows:
        found[row.label_id].append(
            Copy(
                archive=row.archive, job=row.job, night=row.night, started=row.started, finished=row.finished,
                file=row.file, state=row.state, members=row.members, problems=row.problems,
                source_bytes=row.source_bytes, stored_bytes=row.stored_bytes,
                evidence=tuple(rungs.get(row.id, ())), failed=row.failed, segment=row.segment,
            )
        )  # fmt: skip
    return found
