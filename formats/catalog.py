"""Catalog tables: every member of a segment, in columns (SPEC.md section 8).

Columns compress far better than rows, and cost one conversion for a whole table, not one for each member.
"""

import dataclasses
import struct
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import construct as cs

from formats.errors import Damaged, TooLarge
from formats.layout import Layout

REGULAR, DIRECTORY, SYMLINK, HARD_LINK = b"f", b"d", b"l", b"h"
FIFO, CHARACTER_DEVICE, BLOCK_DEVICE, SOCKET = b"p", b"c", b"b", b"s"
TYPES = frozenset((REGULAR, DIRECTORY, SYMLINK, HARD_LINK, FIFO, CHARACTER_DEVICE, BLOCK_DEVICE, SOCKET))

CHANGED, SHORT, ABSENT, SPARSE, DELTA = 1, 2, 4, 8, 16
WARNING_FLAGS = CHANGED | SHORT | ABSENT
_ALL_FLAGS = CHANGED | SHORT | ABSENT | SPARSE | DELTA
NOT_IN_STREAM = (1 << 64) - 1
NO_DIGEST = bytes(32)
MOST_MEMBERS = 1 << 15
"""Members of a table: with more, a table of 16 MiB would take ten times its size in memory."""

_MAGIC = b"TKC1"
_ENTRY_BYTES = 118
"""One member's share of the fixed-width columns."""
_HEAD_BYTES = 26
_LONGEST_STRING = 0xFFFF
_MOST_STRINGS = 0xFFFF


class Entry(NamedTuple):
    """One member. Sizes in bytes, times in nanoseconds since 1970; `reference` as in SPEC.md section 8."""

    type: bytes
    flags: int
    mode: int
    uid: int
    gid: int
    owner: bytes
    group: bytes
    note: bytes
    base: int
    reference: int
    inode: int
    size: int
    valid: int
    mtime_ns: int
    ctime_ns: int
    offset: int
    sha256: bytes
    path: bytes
    link: bytes

    @property
    def has_problem(self) -> bool:
        """Whether the member was not saved whole and still; a socket, which is never saved, is no problem."""
        return bool(self.flags & WARNING_FLAGS) and self.type != SOCKET

    @property
    def is_absent(self) -> bool:
        """Whether the member is not in the stream at all."""
        return bool(self.flags & ABSENT)


class _Column(cs.Adapter):  # type: ignore[type-arg]  # generic in its stubs alone
    """`n` integers of one struct format, big-endian."""

    def __init__(self, code: str) -> None:
        super().__init__(cs.Bytes(cs.this.n * struct.calcsize(">" + code)))
        self._code = code

    def _decode(self, obj: bytes, context: Any, path: str) -> tuple[int, ...]:  # noqa: ANN401, ARG002
        return struct.unpack(f">{context.n}{self._code}", obj)

    def _encode(self, obj: Sequence[int], context: Any, path: str) -> bytes:  # noqa: ANN401
        try:
            return struct.pack(f">{context.n}{self._code}", *obj)
        except struct.error as error:
            raise cs.FormatFieldError(str(error), path=path) from error


@dataclasses.dataclass(frozen=True)
class _Table:
    n: int
    first: int
    s: int
    p: int
    l: int  # noqa: E741 - its name in the specification
    types: bytes
    flags: bytes
    mode: Sequence[int]
    uid: Sequence[int]
    gid: Sequence[int]
    owner: Sequence[int]
    group: Sequence[int]
    note: Sequence[int]
    base: Sequence[int]
    reference: Sequence[int]
    inode: Sequence[int]
    size: Sequence[int]
    valid: Sequence[int]
    mtime_ns: Sequence[int]
    ctime_ns: Sequence[int]
    offset: Sequence[int]
    sha256: bytes
    path_bytes: Sequence[int]
    link_bytes: Sequence[int]
    paths: bytes
    links: bytes
    strings: Sequence[bytes]


_TABLE = Layout(
    "catalog table",
    _Table,
    cs.Struct(
        "magic" / cs.Const(_MAGIC),
        "n" / cs.Int32ub,
        "first" / cs.Int64ub,
        "s" / cs.Int16ub,
        "p" / cs.Int32ub,
        "l" / cs.Int32ub,
        "types" / cs.Bytes(cs.this.n),
        "flags" / cs.Bytes(cs.this.n),
        "mode" / _Column("I"),
        "uid" / _Column("I"),
        "gid" / _Column("I"),
        "owner" / _Column("H"),
        "group" / _Column("H"),
        "note" / _Column("H"),
        "base" / _Column("H"),
        "reference" / _Column("Q"),
        "inode" / _Column("Q"),
        "size" / _Column("Q"),
        "valid" / _Column("Q"),
        "mtime_ns" / _Column("q"),
        "ctime_ns" / _Column("q"),
        "offset" / _Column("Q"),
        "sha256" / cs.Bytes(cs.this.n * 32),
        "path_bytes" / _Column("I"),
        "link_bytes" / _Column("I"),
        "paths" / cs.Bytes(cs.this.p),
        "links" / cs.Bytes(cs.this.l),
        "strings" / cs.Array(cs.this.s, cs.Prefixed(cs.Int16ub, cs.GreedyBytes)),
        "end" / cs.Terminated,
    ),
)


class TableBuilder:
    """Collects members into a table of at most `limit_bytes` plain bytes."""

    def __init__(self, first: int, limit_bytes: int) -> None:
        """Begin a table whose first member has the ordinal `first`."""
        self.first = first
        self._limit_bytes = limit_bytes
        self._entries: list[Entry] = []
        self._strings: dict[bytes, int] = {b"": 0}
        self._bytes = _HEAD_BYTES + 2

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> bool:
        """Take a member in; False where the table is full (it then belongs in the next one).

        Raises TooLarge where the member would not even fit an empty table.
        """
        strings = self._strings
        _, _, _, _, _, owner, group, note, *_, path, link = entry
        behind = self._bytes + _ENTRY_BYTES + len(path) + len(link)
        missing: Collection[bytes] = ()
        if not (owner in strings and group in strings and note in strings):
            missing = dict.fromkeys(text for text in (owner, group, note) if text not in strings)
            if any(len(text) > _LONGEST_STRING for text in missing):
                raise TooLarge(f"catalog: an owner, group or note of over {_LONGEST_STRING} bytes")
            behind += sum(2 + len(text) for text in missing)
        is_full = len(self._entries) == MOST_MEMBERS or len(strings) + len(missing) > _MOST_STRINGS
        if is_full or behind > self._limit_bytes:
            if not self._entries:
                cost = behind - self._bytes
                raise TooLarge(f"catalog: an entry of {cost} bytes, a block has room for {self._limit_bytes}")
            return False
        for text in missing:
            strings[text] = len(strings)
        self._bytes = behind
        self._entries.append(entry)
        return True

    def build(self) -> bytes:
        """The table's plain bytes."""
        columns = list(zip(*self._entries, strict=True))
        (types, flags, mode, uid, gid, owner, group, note, base, reference, inode,
         size, valid, mtime_ns, ctime_ns, offset, sha256, path, link) = columns  # fmt: skip
        number = self._strings.__getitem__
        table = _Table(
            n=len(self._entries), first=self.first, s=len(self._strings),
            p=sum(map(len, path)), l=sum(map(len, link)),
            types=b"".join(types), flags=bytes(flags), mode=mode, uid=uid, gid=gid,
            owner=tuple(map(number, owner)), group=tuple(map(number, group)), note=tuple(map(number, note)),
            base=base, reference=reference, inode=inode, size=size, valid=valid,
            mtime_ns=mtime_ns, ctime_ns=ctime_ns, offset=offset, sha256=b"".join(sha256),
            path_bytes=tuple(map(len, path)), link_bytes=tuple(map(len, link)),
            paths=b"".join(path), links=b"".join(link), strings=tuple(self._strings),
        )  # fmt: skip
        return _TABLE.build(table)


def parse_table(data: bytes) -> tuple[int, list[Entry]]:
    """Ordinal of the first member, and the members, of a table. Raises Damaged where it does not add up."""
    if data[:4] != _MAGIC:
        raise Damaged("catalog table: no catalog magic")
    count = int.from_bytes(data[4:8], "big")
    if count > MOST_MEMBERS:
        raise Damaged(f"catalog table: {count} members, limit {MOST_MEMBERS}")
    table = _TABLE.parse(data)
    if table.n == 0 or not table.strings or table.strings[0] != b"":
        raise Damaged("catalog table: empty, or without the empty string")
    if sum(table.path_bytes) != table.p or sum(table.link_bytes) != table.l:
        raise Damaged("catalog table: sizes of paths or links do not add up")
    if not TYPES.issuperset(table.types[i : i + 1] for i in range(table.n)):
        raise Damaged("catalog table: unknown member type")
    if any(flags & ~_ALL_FLAGS for flags in table.flags):
        raise Damaged("catalog table: unknown member flags")
    if max(*table.owner, *table.group, *table.note) >= table.s:
        raise Damaged("catalog table: a string number is out of range")
    return table.first, list(_entries(table))


def _entries(table: _Table) -> Iterator[Entry]:
    text = table.strings.__getitem__
    return map(
        Entry,
        (table.types[i : i + 1] for i in range(table.n)), table.flags, table.mode, table.uid, table.gid,
        map(text, table.owner), map(text, table.group), map(text, table.note), table.base, table.reference,
        table.inode, table.size, table.valid, table.mtime_ns, table.ctime_ns, table.offset,
        (table.sha256[i : i + 32] for i in range(0, len(table.sha256), 32)),
        _slices(table.paths, table.path_bytes), _slices(table.links, table.link_bytes),
    )  # fmt: skip


def _slices(joined: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    start = 0
    for size in sizes:
        yield joined[start : start + size]
        start += size
