"""The stream: pax tar headers, written and read (SPEC.md section 7).

A tar header is text in fixed columns, one pair of headers for each member, so it is written with bytes formatting
(about 10 µs) where a construct definition would take most of the time that a small file takes to save.
Sources: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar manual, "Storing Sparse
Files" (format 1.0); star(5) for SCHILY.xattr and SCHILY.acl.
"""

import dataclasses
import functools
import re
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from formats.errors import Damaged, TooLarge

BLOCK_BYTES = 512
END_OF_ARCHIVE = bytes(2 * BLOCK_BYTES)
LARGEST_PAX_HEADER_BYTES = 1 << 20
MOST_SPARSE_EXTENTS = 1 << 17

REGULAR, HARD_LINK, SYMLINK, CHARACTER_DEVICE, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
PAX_HEADER = b"x"
TYPES = frozenset((REGULAR, HARD_LINK, SYMLINK, CHARACTER_DEVICE, BLOCK_DEVICE, DIRECTORY, FIFO))

XATTR_PREFIX = b"SCHILY.xattr."
ACL_ACCESS = b"SCHILY.acl.access"
ACL_DEFAULT = b"SCHILY.acl.default"
TAPEKIT_PREFIX = b"TAPEKIT."

_OCTAL_7 = 0o7777777
_OCTAL_11 = 0o77777777777
_NAME_BYTES, _PREFIX_BYTES = 100, 155
_OWNER_BYTES = 31
"""The field less the NUL that it must end with."""
_SECOND_NS = 1_000_000_000
_DECIMAL = re.compile(rb"[0-9]{1,20}")
_OCTAL = re.compile(rb"[0-7]+")
_XATTR_ESCAPE = re.compile(rb"%(3D|25)")
_TIME = re.compile(rb"(-?)([0-9]{1,20})(?:\.([0-9]{1,30}))?")


class Member(NamedTuple):
    """One member of a stream, as its headers describe it; a tuple, because one is made for each small file.

    `size_bytes` is the size of the file; `sparse` lists its data extents (offset, size) or is None for a plain file.
    `xattrs`, the ACLs and `extra` (TAPEKIT. records) carry raw values.
    """

    type: bytes
    path: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    owner: bytes = b""
    group: bytes = b""
    size_bytes: int = 0
    mtime_ns: int = 0
    atime_ns: int | None = None
    link: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    acl_access: bytes | None = None
    acl_default: bytes | None = None
    sparse: tuple[tuple[int, int], ...] | None = None
    extra: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def stored_bytes(self) -> int:
        """Content bytes in the stream, without the padding to 512 at the end."""
        if self.type != REGULAR:
            return 0
        if self.sparse is None:
            return self.size_bytes
        return len(sparse_map(self.sparse)) + sum(size for _, size in self.sparse)


def padding(size: int) -> int:
    """Zeros that follow `size` content bytes."""
    return -size % BLOCK_BYTES


def sparse_map(extents: Iterable[tuple[int, int]]) -> bytes:
    """The map that stands before a sparse member's data, padded to 512."""
    numbers = [number for extent in extents for number in extent]
    text = b"%d\n" % (len(numbers) // 2) + b"".join(b"%d\n" % number for number in numbers)
    return text + bytes(padding(len(text)))


def build_headers(member: Member) -> bytes:
    """The headers of a member: a pax header where one is needed, then the ustar header.

    Raises TooLarge where the pax header would exceed its limit (very large extended attributes), or where a sparse map
    or a device number does.
    """
    # Taken apart once: a look-up for each name, for each file, takes longer than all of the formatting.
    (type_, path, mode, uid, gid, owner, group, _size, mtime_ns, atime_ns,
     link, device, xattrs, acl_access, acl_default, sparse, extra) = member  # fmt: skip
    records: list[tuple[bytes, bytes]] = []
    if type_ == DIRECTORY:
        path += b"/"
    if sparse is not None:
        path = _add_sparse_records(records, member)
    prefix = b""
    if len(path) > _NAME_BYTES:
        prefix, path = _split_or_record(records, path, is_sparse=sparse is not None)
    if len(link) > _NAME_BYTES:
        link = _text_field(records, b"linkpath", link, _NAME_BYTES)
    if uid > _OCTAL_7 or gid > _OCTAL_7:
        uid, gid = _number_field(records, b"uid", uid, _OCTAL_7), _number_field(records, b"gid", gid, _OCTAL_7)
    size = member.stored_bytes if type_ == REGULAR else 0
    if size > _OCTAL_11:
        size = _number_field(records, b"size", size, _OCTAL_11)
    mtime = _times(records, mtime_ns, atime_ns)
    if xattrs or acl_access is not None or acl_default is not None or extra:
        records += _attribute_records(member)
    if len(owner) > _OWNER_BYTES or len(group) > _OWNER_BYTES:
        owner = _text_field(records, b"uname", owner, _OWNER_BYTES)
        group = _text_field(records, b"gname", group, _OWNER_BYTES)
    header = _ustar(path, prefix, type_, mode, uid, gid, size, mtime, link, owner, group, device)
    return _pax_header(records) + header if records else header


def _add_sparse_records(records: list[tuple[bytes, bytes]], member: Member) -> bytes:
    """The records of a sparse member; returns the name that its ustar header has (GNU tar manual, format 1.0)."""
    extents = len(member.sparse or ())
    if extents > MOST_SPARSE_EXTENTS:
        raise TooLarge(f"sparse map: {extents} extents, limit {MOST_SPARSE_EXTENTS}")
    records += [
        (b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.name", member.path), (b"GNU.sparse.realsize", b"%d" % member.size_bytes),
    ]  # fmt: skip
    folder, slash, base = member.path.rpartition(b"/")
    return folder + slash + b"GNUSparseFile.0/" + base


def _times(records: list[tuple[bytes, bytes]], mtime_ns: int, atime_ns: int | None) -> int:
    """The seconds for the header's field, and records of what it cannot hold."""
    mtime, fraction = divmod(mtime_ns, _SECOND_NS)
    if fraction or not 0 <= mtime <= _OCTAL_11:
        records.append((b"mtime", _time_text(mtime_ns)))
        mtime = min(max(mtime, 0), _OCTAL_11)
    if atime_ns is not None:
        records.append((b"atime", _time_text(atime_ns)))
    return mtime


def _number_field(records: list[tuple[bytes, bytes]], keyword: bytes, value: int, largest: int) -> int:
    """A number for its octal field; where it does not fit, a record carries it and the field holds 0."""
    if value <= largest:
        return value
    records.append((keyword, b"%d" % value))
    return 0


def _text_field(records: list[tuple[bytes, bytes]], keyword: bytes, value: bytes, width: int) -> bytes:
    """A text for its field; where it does not fit, a record carries it and the field its beginning."""
    if len(value) <= width:
        return value
    records.append((keyword, value))
    return value[:width]


def build_pax_records(records: Iterable[tuple[bytes, bytes]]) -> bytes:
    """`length keyword=value` lines; the length counts itself (POSIX, "pax Extended Header")."""
    return b"".join([
        b"%d %b=%b\n" % (_record_bytes(len(keyword) + len(value)), keyword, value) for keyword, value in records
    ])  # fmt: skip


@functools.lru_cache(1024)
def _record_bytes(text_bytes: int) -> int:
    """Length of a record whose keyword and value have so many bytes."""
    rest = text_bytes + 3
    length = rest + len(b"%d" % rest)
    return rest + len(b"%d" % length)


def _pax_header(records: list[tuple[bytes, bytes]]) -> bytes:
    if any(map(_is_binary_name, records)):
        records = [(b"hdrcharset", b"BINARY"), *records]
    body = build_pax_records(records)
    if len(body) > LARGEST_PAX_HEADER_BYTES:
        raise TooLarge(f"pax header: {len(body)} bytes, limit {LARGEST_PAX_HEADER_BYTES}")
    return b"%b%b%b" % (_pax_ustar(len(body)), body, bytes(-len(body) % BLOCK_BYTES))


@functools.lru_cache(1024)
def _pax_ustar(body_bytes: int) -> bytes:
    """The ustar header of a pax header. Its name says nothing, so that the few sizes there are need one header each."""
    return _ustar(b"PaxHeaders/member", b"", PAX_HEADER, 0o644, 0, 0, body_bytes, 0, b"", b"", b"", (0, 0))


_NAME_KEYWORDS = frozenset((b"path", b"linkpath", b"uname", b"gname", b"GNU.sparse.name"))


def _is_binary_name(record: tuple[bytes, bytes]) -> bool:
    return record[0] in _NAME_KEYWORDS and not _is_utf8(record[1])


def _attribute_records(member: Member) -> list[tuple[bytes, bytes]]:
    records = []
    if member.acl_access is not None:
        records.append((ACL_ACCESS, member.acl_access))
    if member.acl_default is not None:
        records.append((ACL_DEFAULT, member.acl_default))
    records += [(XATTR_PREFIX + _escaped(name), value) for name, value in member.xattrs]
    records += list(member.extra)
    return records


def _escaped(name: bytes) -> bytes:
    """The name of an attribute as GNU tar spells it in a keyword, which ends at the first `=`."""
    return name.replace(b"%", b"%25").replace(b"=", b"%3D")


def _unescaped(keyword: bytes) -> bytes:
    return _XATTR_ESCAPE.sub(lambda match: b"=" if match[1] == b"3D" else b"%", keyword[len(XATTR_PREFIX) :])


def _split(path: bytes) -> tuple[bytes, bytes | None]:
    """Prefix and name of a path; the name is None where the path does not fit the two fields."""
    if len(path) <= _NAME_BYTES:
        return b"", path
    # The last slash that leaves a prefix which fits, and a name: not the one that ends a directory.
    cut = path.rfind(b"/", 0, min(_PREFIX_BYTES + 1, len(path) - 1))
    if cut > 0 and len(path) - cut - 1 <= _NAME_BYTES:
        return path[:cut], path[cut + 1 :]
    return b"", None


def _split_or_record(records: list[tuple[bytes, bytes]], path: bytes, *, is_sparse: bool) -> tuple[bytes, bytes]:
    """Prefix and name of a path; a record carries what does not fit, except where sparse members have one already."""
    prefix, name = _split(path)
    if name is not None:
        return prefix, name
    if not is_sparse:
        records.append((b"path", path))
    return b"", path[:_NAME_BYTES]


def _ustar(  # noqa: PLR0913, PLR0917 - the header's fields, in their order
    name: bytes, prefix: bytes, type_: bytes, mode: int, uid: int, gid: int, size: int, mtime: int,
    link: bytes, owner: bytes, group: bytes, device: tuple[int, int],
) -> bytes:  # fmt: skip
    ids, middle, shared_sum = _shared(mode & 0o7777, uid, gid, type_, link, owner, group, device)
    front = b"%b%b%011o\0%011o\0" % (name.ljust(_NAME_BYTES, b"\0"), ids, size, mtime)
    checksum = _byte_sum(front) + shared_sum
    if prefix:
        checksum += _byte_sum(prefix)
    return b"%b%06o\0 %b%b" % (front, checksum, middle, prefix.ljust(_BACK_BYTES, b"\0"))


@functools.lru_cache(1024)
def _shared(  # noqa: PLR0913, PLR0917 - the header's fields, in their order
    mode: int, uid: int, gid: int, type_: bytes, link: bytes, owner: bytes, group: bytes, device: tuple[int, int]
) -> tuple[bytes, bytes, int]:
    """What most files of a tree have in common: the ids, what stands between checksum and prefix, and the sum of this.

    The sum is that of the latter and of the checksum's own field, which counts as spaces.
    """
    if max(device) > _OCTAL_7:
        raise TooLarge(f"tar header: device {device[0]}:{device[1]} does not fit")
    middle = b"".join((
        type_, link.ljust(_NAME_BYTES, b"\0"), b"ustar\x0000", owner.ljust(32, b"\0"), group.ljust(32, b"\0"),
        b"%07o\0%07o\0" % device,
    ))  # fmt: skip
    return b"%07o\0%07o\0%07o\0" % (mode, uid, gid), middle, _byte_sum(middle) + _SPACES_SUM


_SPACES_SUM = 8 * 0x20
_BACK_BYTES = _PREFIX_BYTES + 12
"""The prefix, and what is left of a header behind it."""


def _byte_sum(part: bytes) -> int:
    """The sum of up to 256 bytes: the low half of Adler-32 is the sum and 1, modulo 65,521, which they never reach."""
    return (zlib.adler32(part) & 0xFFFF) - 1


def _time_text(time_ns: int) -> bytes:
    seconds, fraction = divmod(abs(time_ns), _SECOND_NS)
    sign = b"-" if time_ns < 0 else b""
    return b"%b%d.%09d" % (sign, seconds, fraction) if fraction else b"%b%d" % (sign, seconds)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


# --- reading ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class RawHeader:
    """One 512-byte header as it stands; `size_bytes` is what follows it in the stream, before padding."""

    type: bytes
    name: bytes
    mode: int
    uid: int
    gid: int
    size_bytes: int
    mtime: int
    link: bytes
    owner: bytes
    group: bytes
    device: tuple[int, int]


def looks_like_header(block: "bytes | memoryview") -> bool:
    """Whether 512 bytes are a ustar header with a right checksum."""
    data = bytes(block)
    if len(data) != BLOCK_BYTES or data[257:263] != b"ustar\0":
        return False
    try:
        stored = _octal(data[148:156], "checksum")
    except Damaged:
        return False
    return stored == _byte_sum(data[:148]) + _SPACES_SUM + _byte_sum(data[156:345]) + _byte_sum(data[345:])


def parse_header(block: "bytes | memoryview") -> RawHeader:
    """Raises Damaged where 512 bytes are no ustar header of a type that the format has."""
    data = bytes(block)
    if not looks_like_header(data):
        raise Damaged("tar header: no ustar header, or its checksum does not match")
    type_ = data[156:157]
    if type_ == b"\0":
        type_ = REGULAR
    if type_ not in TYPES and type_ != PAX_HEADER:
        raise Damaged(f"tar header: member type {type_!r}")
    prefix, name = _text(data[345:500]), _text(data[:100])
    return RawHeader(
        type=type_, name=prefix + b"/" + name if prefix else name, mode=_octal(data[100:108], "mode") & 0o7777,
        uid=_octal(data[108:116], "uid"), gid=_octal(data[116:124], "gid"), size_bytes=_octal(data[124:136], "size"),
        mtime=_octal(data[136:148], "mtime"), link=_text(data[157:257]), owner=_text(data[265:297]),
        group=_text(data[297:329]), device=(_octal(data[329:337], "device"), _octal(data[337:345], "device")),
    )  # fmt: skip


def parse_pax_records(body: bytes) -> dict[bytes, bytes]:
    """The records of a pax header's body. Raises Damaged where lengths do not add up or a keyword stands twice."""
    records: dict[bytes, bytes] = {}
    place = 0
    while place < len(body):
        space = body.find(b" ", place, place + 21)
        if space < 0 or not _DECIMAL.fullmatch(body[place:space]):
            raise Damaged("pax header: a record without a length")
        end = place + int(body[place:space])
        equals = body.find(b"=", space + 1, end)
        if end > len(body) or end <= space + 1 or body[end - 1 : end] != b"\n" or equals <= space + 1:
            raise Damaged("pax header: a record's length is wrong")
        keyword = body[space + 1 : equals]
        if b"\0" in keyword:
            raise Damaged(f"pax header: keyword {keyword[:60]!r}")
        if keyword in records:
            raise Damaged(f"pax header: keyword {keyword[:60]!r} twice")
        records[keyword] = body[equals + 1 : end - 1]
        place = end
    return records


def combine(header: RawHeader, records: dict[bytes, bytes]) -> tuple[Member, int]:
    """A member from its ustar header and pax records, and the content bytes that follow in the stream.

    A sparse member comes with an empty extent list: its map stands in the content (see `parse_sparse_map`).
    """
    if header.type == PAX_HEADER:
        raise Damaged("pax header: two in a row")
    take = records.get
    size = _number(take(b"size"), header.size_bytes)
    path = take(b"GNU.sparse.name") or take(b"path") or header.name
    if b"\0" in path or not path.strip(b"/"):
        raise Damaged(f"tar header: member name {path[:80]!r}")
    link = take(b"linkpath", header.link)
    if b"\0" in link:
        raise Damaged(f"tar header: link target {link[:80]!r}")
    real_size, sparse = size, None
    if header.type != REGULAR:
        size = real_size = 0
    elif b"GNU.sparse.major" in records:
        if (take(b"GNU.sparse.major"), take(b"GNU.sparse.minor")) != (b"1", b"0"):
            raise Damaged("pax header: sparse format is not 1.0")
        real_size, sparse = _number(take(b"GNU.sparse.realsize"), -1), ()
        if real_size < 0:
            raise Damaged("pax header: sparse member without its size")
    mtime, atime = take(b"mtime"), take(b"atime")
    member = Member(
        type=header.type, path=path.rstrip(b"/"), mode=header.mode, uid=_number(take(b"uid"), header.uid),
        gid=_number(take(b"gid"), header.gid), owner=take(b"uname", header.owner), group=take(b"gname", header.group),
        size_bytes=real_size, mtime_ns=header.mtime * _SECOND_NS if mtime is None else _parse_time(mtime),
        atime_ns=None if atime is None else _parse_time(atime), link=link,
        device=header.device, sparse=sparse, acl_access=take(ACL_ACCESS), acl_default=take(ACL_DEFAULT),
        xattrs=tuple((_unescaped(k), v) for k, v in records.items() if k.startswith(XATTR_PREFIX)),
        extra=tuple((k, v) for k, v in records.items() if k.startswith(TAPEKIT_PREFIX)),
    )  # fmt: skip
    return member, size


def parse_sparse_map(data: bytes, real_size: int) -> tuple[tuple[tuple[int, int], ...], int] | None:
    """The extents that `data` begins with, and the bytes the map takes with its padding; None where data ends first.

    Raises Damaged where extents overlap, descend or reach beyond the file.
    """
    end = data.find(b"\n")
    if end < 0:
        if len(data) > 20:  # noqa: PLR2004 - digits of a 64-bit number
            raise Damaged("sparse map: does not begin with a number")
        return None
    count = _number(data[:end], -1)
    if not 0 <= count <= MOST_SPARSE_EXTENTS:
        raise Damaged(f"sparse map: {count} extents, limit {MOST_SPARSE_EXTENTS}")
    lines = data[end + 1 :].split(b"\n", 2 * count)
    if len(lines) <= 2 * count:
        if any(len(line) > 20 for line in lines):  # noqa: PLR2004
            raise Damaged("sparse map: not a number")
        return None
    numbers = [_number(line, -1) for line in lines[: 2 * count]]
    extents = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    place = 0
    for offset, size in extents:
        if offset < place or offset + size > real_size:
            raise Damaged("sparse map: extents overlap, or reach beyond the file")
        place = offset + size
    used = end + 1 + sum(map(len, lines[: 2 * count])) + 2 * count
    return extents, used + padding(used)


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _octal(field: bytes, what: str) -> int:
    text = field.rstrip(b"\0 ").lstrip(b" ")
    if not text:
        return 0
    if not _OCTAL.fullmatch(text):
        raise Damaged(f"tar header: {what} is not an octal number: {field!r}")
    return int(text, 8)


def _number(text: bytes | None, default: int) -> int:
    if text is None:
        return default
    if not _DECIMAL.fullmatch(text) or int(text) >= 1 << 63:
        raise Damaged(f"pax header: not a number: {text[:40]!r}")
    return int(text)


def _parse_time(text: bytes) -> int:
    match = _TIME.fullmatch(text)
    if not match:
        raise Damaged(f"pax header: not a time: {text[:40]!r}")
    sign, seconds, fraction = match.groups()
    if int(seconds) >= 1 << 63:
        raise Damaged(f"pax header: time {text[:40]!r} is over 64 bits")
    time_ns = int(seconds) * _SECOND_NS + int((fraction or b"").ljust(9, b"0")[:9])
    return -time_ns if sign else time_ns
