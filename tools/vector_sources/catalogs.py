"""Catalog tables (formats/SPEC.md section 8)."""

import struct
from typing import Any

from fixtures.vectors import DAMAGED, OK, Vector

_ABSENT_OFFSET = 2**64 - 1
_SHA256 = bytes(range(32))
_COLUMNS = (
    ("flags", "B"), ("mode", "I"), ("uid", "I"), ("gid", "I"), ("owner", "H"), ("group", "H"), ("note", "H"),
    ("base", "H"), ("reference", "Q"), ("inode", "Q"), ("size", "Q"), ("valid", "Q"), ("mtime", "q"), ("ctime", "q"),
    ("offset", "Q"),
)  # fmt: skip

_FILE: dict[str, Any] = {
    "type": b"f", "flags": 0, "mode": 0o640, "uid": 1000, "gid": 100, "owner": 1, "group": 2, "note": 0, "base": 0,
    "reference": 0, "inode": 77, "size": 5, "valid": 5, "mtime": 1_700_000_000_123_456_789,
    "ctime": 1_700_000_001_000_000_000, "offset": 1536, "sha256": _SHA256, "path": b"etc/hosts", "link": b"",
}  # fmt: skip
_OTHER: dict[str, Any] = _FILE | {"size": 0, "valid": 0, "sha256": bytes(32), "owner": 0, "group": 0}
_STRINGS = (b"", b"karla", b"users")


def _table(  # noqa: PLR0913 - as many as a table has sums
    members: tuple[dict[str, Any], ...] = (_FILE,), strings: tuple[bytes, ...] = _STRINGS, *, magic: bytes = b"TKC1",
    n: int | None = None, first: int = 12, s: int | None = None, p: int | None = None, l: int | None = None,  # noqa: E741
    behind: bytes = b"",
) -> bytes:  # fmt: skip
    """A table; what is not said is as it should be."""
    paths, links = [member["path"] for member in members], [member["link"] for member in members]
    joined_paths, joined_links = b"".join(paths), b"".join(links)
    parts = [
        magic,
        struct.pack(
            ">IQHII", len(members) if n is None else n, first, len(strings) if s is None else s,
            len(joined_paths) if p is None else p, len(joined_links) if l is None else l,
        ),
        b"".join(member["type"] for member in members),
    ]  # fmt: skip
    parts += [struct.pack(f">{len(members)}{code}", *(member[name] for member in members)) for name, code in _COLUMNS]
    parts.append(b"".join(member["sha256"] for member in members))
    for texts in (paths, links):
        parts.append(struct.pack(f">{len(members)}I", *map(len, texts)))
    parts += [joined_paths, joined_links]
    parts += [struct.pack(">H", len(text)) + text for text in strings]
    return b"".join(parts) + behind


def _one(**changes: Any) -> bytes:  # noqa: ANN401 - any value of a column
    return _table((_FILE | changes,))


def _good(name: str, why: str, data: bytes, *fields: tuple[str, str], canonical: bool = True) -> Vector:
    return Vector(f"catalog-{name}", "catalog table", OK, why, data, fields, canonical=canonical)


def _bad(name: str, why: str, data: bytes) -> Vector:
    return Vector(f"catalog-{name}", "catalog table", DAMAGED, why, data)


def _resized(data: bytes, column_offset: int, value: int) -> bytes:
    """The data with four bytes replaced."""
    return data[:column_offset] + struct.pack(">I", value) + data[column_offset + 4 :]


_KINDS = (
    _OTHER | {"type": b"d", "mode": 0o755, "path": b"etc"},
    _FILE | {"owner": 1, "group": 2},
    _OTHER | {"type": b"l", "path": b"etc/link", "link": b"hosts", "size": 5, "valid": 5},
    _OTHER | {"type": b"h", "path": b"etc/second", "link": b"etc/hosts", "reference": 1536},
    _OTHER | {"type": b"p", "path": b"pipe"},
    _OTHER | {"type": b"c", "path": b"null", "reference": 1 << 32 | 3},
    _OTHER | {"type": b"b", "path": b"disk", "reference": 8 << 32},
    _OTHER | {"type": b"s", "path": b"socket", "flags": 4, "offset": _ABSENT_OFFSET, "note": 3},
)
_FLAGGED = (
    _FILE | {"flags": 1, "note": 3, "path": b"changed"},
    _FILE | {"flags": 3, "note": 3, "valid": 2, "path": b"short"},
    _FILE | {"flags": 4, "note": 3, "valid": 0, "sha256": bytes(32), "offset": _ABSENT_OFFSET, "path": b"absent"},
    _FILE | {"flags": 8, "path": b"sparse"},
    _FILE | {"flags": 16, "base": 1, "path": b"delta"},
)
# Of a table with one member: where the columns of path and link sizes begin.
_PATH_SIZE = 26 + 1 + 1 + 12 + 8 + 56 + 32
_LINK_SIZE = _PATH_SIZE + 4

CATALOGS: tuple[Vector, ...] = (
    _good("one", "one member, every column", _table(), ("first", "12"), ("entries.0.type", b"f".hex()),
          ("entries.0.mode", str(0o640)), ("entries.0.uid", "1000"), ("entries.0.gid", "100"),
          ("entries.0.owner", b"karla".hex()), ("entries.0.group", b"users".hex()), ("entries.0.note", ""),
          ("entries.0.inode", "77"), ("entries.0.size", "5"), ("entries.0.valid", "5"),
          ("entries.0.mtime_ns", "1700000000123456789"), ("entries.0.ctime_ns", "1700000001000000000"),
          ("entries.0.offset", "1536"), ("entries.0.sha256", _SHA256.hex()), ("entries.0.path", b"etc/hosts".hex()),
          ("entries.0.link", ""), ("entries.0.base", "0"), ("entries.0.reference", "0")),
    _good("types", "a member of each type", _table(_KINDS, (*_STRINGS, b"a socket: not saved")),
          ("entries.2.link", b"hosts".hex()), ("entries.3.reference", "1536"), ("entries.5.reference", "4294967299"),
          ("entries.7.note", b"a socket: not saved".hex()), ("entries.7.path", b"socket".hex())),
    _good("flags", "each flag", _table(_FLAGGED, (*_STRINGS, b"grew")), ("entries.1.flags", "3"),
          ("entries.1.valid", "2"), ("entries.2.offset", str(_ABSENT_OFFSET)), ("entries.4.base", "1")),
    _good("names", "a path that is not UTF-8, and one without a character", _table((
        _FILE | {"path": b"caf\xe9/\xff\n"}, _FILE | {"path": b""})), ("entries.0.path", b"caf\xe9/\xff\n".hex())),
    _good("times", "before 1970, and the ends of 64 bits", _table((
        _FILE | {"mtime": -1, "ctime": -(2**63)}, _FILE | {"mtime": 2**63 - 1})),
          ("entries.0.mtime_ns", "-1"), ("entries.0.ctime_ns", str(-(2**63))), ("entries.1.mtime_ns", str(2**63 - 1))),
    _good("largest", "numbers as large as their columns", _table((_FILE | {
        "uid": 2**32 - 1, "gid": 2**32 - 1, "inode": 2**64 - 1, "size": 2**64 - 1, "valid": 2**64 - 1,
        "base": 65535},), first=2**64 - 2), ("first", str(2**64 - 2)), ("entries.0.base", "65535")),
    _good("strings-unused", "a string that no member uses, and one twice", _table(strings=(*_STRINGS, b"x", b"x")),
          canonical=False),
    _bad("empty", "no bytes", b""),
    _bad("magic", "another magic", _table(magic=b"TKC2")),
    _bad("no-members", "no member", _table((), (b"",))),
    _bad("n-too-large", "one member more than there are columns for", _table(n=2)),
    _bad("n-too-small", "one member fewer than there are columns for", _table((_FILE, _FILE), n=1)),
    _bad("n-giant", "claims 4,294,967,295 members", _table(n=2**32 - 1)),
    _bad("cut-in-head", "cut off in its head", _table()[:20]),
    _bad("cut-in-columns", "cut off in its columns", _table()[:100]),
    _bad("cut-in-strings", "cut off in its last string", _table()[:-1]),
    _bad("behind", "a byte behind the last string", _table(behind=b"\0")),
    _bad("paths-giant", "claims 4 GiB of paths", _table(p=2**32 - 1)),
    _bad("links-giant", "claims 4 GiB of links", _table(l=2**32 - 1)),
    _bad("paths-moved", "a byte of the paths counts as links", _table(p=8, l=1)),
    _bad("path-size", "a path size that is too large by one", _resized(_table(), _PATH_SIZE, 10)),
    _bad("path-size-giant", "a path of 4 GiB", _resized(_table(), _PATH_SIZE, 2**32 - 1)),
    _bad("link-size", "a link size where there are no links", _resized(_table(), _LINK_SIZE, 1)),
    _bad("no-strings", "no strings", _table((_OTHER,), ())),
    _bad("string-0", "string 0 is not empty", _table(strings=(b"x", b"karla", b"users"))),
    _bad("strings-too-many", "claims a string more than there are", _table(s=4)),
    _bad("strings-too-few", "claims a string fewer than there are", _table((_OTHER,), s=2)),
    _bad("strings-65535", "claims 65,535 strings", _table(s=65535)),
    _bad("owner", "an owner that is no string", _one(owner=3)),
    _bad("group", "a group that is no string", _one(group=3)),
    _bad("note", "a note that is no string", _one(note=65535)),
    _bad("type", "an unknown type", _one(type=b"x")),
    _bad("type-0", "a type of zero", _one(type=b"\0")),
    _bad("flag", "an unknown flag", _one(flags=32)),
    _bad("flag-high", "the highest flag", _one(flags=128)),
)  # fmt: skip
