"""The audit log read: shown, checked against the cartridges, and handed over."""

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from drivers.base import Drive
from formats import audit
from formats.audit import AuditLine
from formats.publickey import PublicKeyLine
from tapekit.audit import check
from tapekit.audit.check import Finding, Witness
from tapekit.audit.log import FILE_NAME
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.errors import TapekitError
from tapekit.keys.site import site_key

COLUMNS = (
    "sequence", "at", "event", "who", "host", "site", "cartridge", "cartridge_id", "archive", "job", "subject",
    "result", "note",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Checked:
    """What became of a check."""

    events: int
    witnesses: int
    findings: tuple[Finding, ...]


def events(state: Path, year: int | None = None) -> list[AuditLine]:
    """The events, oldest first; those of one year. Raises TapekitError."""
    found = [line.event for line in check.read(state / FILE_NAME) if line.event]
    return [event for event in found if year is None or event.at.startswith(f"{year:04d}-")]


def witnesses(drive: Drive, site: str) -> list[Witness]:
    """What the cartridge in a drive remembers of this site's log. Raises DriveError, FormatError."""
    cartridge = open_cartridge(drive)
    return [
        Witness(cartridge.name, segment.archive, segment.trailer.audit)
        for segment in cartridge.segments()
        if segment.trailer and segment.trailer.audit and segment.header and segment.header.site in {site, ""}
    ]


def verify(state: Path, sites: Sequence[PublicKeyLine], heads: Sequence[Witness]) -> Checked:
    """Check the log, against cartridges where their heads are given. Raises TapekitError."""
    lines = check.read(state / FILE_NAME)
    keys = [line.key for line in sites]
    if lines:
        keys.append(site_key(state).public)
    findings = tuple(check.check(lines, keys, heads))
    return Checked(sum(1 for line in lines if line.event), len(heads), findings)


def digest_of(event: AuditLine) -> str:
    """What the event after it holds as `previous`."""
    return audit.digest(audit.build(event))


def as_csv(found: Iterable[AuditLine]) -> str:
    """A table for a spreadsheet."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_inert(str(getattr(event, name))) for name in COLUMNS] for event in found)
    return target.getvalue()


def as_json(found: Iterable[AuditLine]) -> str:
    """All of them with chain and signatures, as a list."""
    return json.dumps([dataclasses.asdict(event) for event in found], ensure_ascii=False, indent=1) + "\n"


def write(path: Path, content: bytes) -> None:
    """Write an export. Raises TapekitError."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise TapekitError(f"audit log: {path}: {(error.strerror or '').lower()}") from error


def _inert(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
