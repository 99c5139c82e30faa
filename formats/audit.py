"""A line of the audit log (SPEC.md section 18.4): signed, and chained to the line before by its digest."""

import dataclasses
import hashlib

from formats import document
from formats.errors import Damaged

AUDIT_VERSION = 1
LONGEST_LINE = 16384
NO_LINE = "0" * 64
"""What the first line has in place of the digest of the one before."""
_CONTEXT = b"tapekit audit 1\0"


@dataclasses.dataclass(frozen=True)
class AuditLine:
    """What happened, who did it, and the chain. Fields that an event has no use for are empty."""

    format: int
    sequence: int
    at: str
    event: str
    site: str
    host: str
    who: str
    previous: str
    key: str
    cartridge: str = ""
    cartridge_id: str = ""
    archive: str = ""
    job: str = ""
    subject: str = ""
    result: str = ""
    note: str = ""
    signature: str = ""


def build(line: AuditLine) -> bytes:
    """The line, without a line feed."""
    return document.build(line)


def parse(data: bytes) -> AuditLine:
    """Raises NewerFormat for a line of a later version, Damaged for anything else that is no line."""
    line = document.parse("audit line", AuditLine, data, newest_format=AUDIT_VERSION)
    document.check_count("audit line: sequence", line.sequence)
    document.check_digest("audit line: previous", line.previous)
    document.check_time("audit line: at", line.at)
    if len(data) > LONGEST_LINE:
        raise Damaged(f"audit line: {len(data)} bytes, limit {LONGEST_LINE}")
    return line


def signed(data: bytes) -> bytes:
    """What the signature covers, from the line as read. Raises Damaged."""
    return _CONTEXT + document.without("audit line", data, "signature")


def digest(data: bytes) -> str:
    """What the next line has as `previous`, and a cartridge's trailer as the head."""
    return hashlib.sha256(data).hexdigest()
