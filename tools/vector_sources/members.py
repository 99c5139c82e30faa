"""Members of the stream: pax and ustar headers, sparse maps (formats/SPEC.md section 7; POSIX.1-2017, pax)."""

import struct
from typing import Any

from fixtures.vectors import DAMAGED, OK, Vector

_USTAR = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")


def _octal(number: int, digits: int) -> bytes:
    return b"%0*o\0" % (digits, number)


def _header(  # noqa: PLR0913 - as many as a header has fields
    name: bytes = b"f", *, type_: bytes = b"0", mode: int = 0o644, uid: int | bytes = 0, gid: int = 0,
    size: int | bytes = 0, mtime: int | bytes = 0, link: bytes = b"", owner: bytes = b"", group: bytes = b"",
    device: tuple[int, int] = (0, 0), prefix: bytes = b"", magic: bytes = b"ustar\x0000", checksum: bytes = b"",
) -> bytes:  # fmt: skip
    def field(value: int | bytes, digits: int) -> bytes:
        return value if isinstance(value, bytes) else _octal(value, digits)

    blank = _USTAR.pack(
        name, _octal(mode, 7), field(uid, 7), _octal(gid, 7), field(size, 11), field(mtime, 11), b" " * 8, type_, link,
        magic, owner, group, _octal(device[0], 7), _octal(device[1], 7), prefix,
    )  # fmt: skip
    return blank[:148] + (checksum or _octal(sum(blank), 6) + b" ") + blank[156:]


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def _record(keyword: bytes, value: bytes) -> bytes:
    """`length keyword=value`: the length that counts itself."""
    rest = len(b" " + keyword + b"=" + value + b"\n")
    length = next(n for n in range(rest, rest + 9) if n == rest + len(b"%d" % n))
    return b"%d %b=%b\n" % (length, keyword, value)


def _pax(*records: tuple[bytes, bytes], body: bytes | None = None, size: int | None = None) -> bytes:
    """A pax header."""
    content = b"".join(_record(*record) for record in records) if body is None else body
    length = len(content) if size is None else size
    return _header(b"PaxHeaders/member", type_=b"x", size=length) + _padded(content)


def _good(name: str, why: str, data: bytes, *fields: tuple[str, str], canonical: bool = True) -> Vector:
    return Vector(f"pax-{name}", "pax member", OK, why, data, fields, canonical=canonical)


def _bad(name: str, why: str, data: bytes) -> Vector:
    return Vector(f"pax-{name}", "pax member", DAMAGED, why, data)


def _with(keyword: bytes, value: bytes, **header: Any) -> bytes:  # noqa: ANN401 - a field's value
    return _pax((keyword, value)) + _header(**header)


def _body(body: bytes) -> bytes:
    return _pax(body=body) + _header()


def _map(name: str, expect: str, why: str, data: bytes, *fields: tuple[str, str], size: int = 1 << 20) -> Vector:
    return Vector(f"sparse-map-{name}", "sparse map", expect, why, data, fields, (("size", str(size)),))


_DEEP = b"d/" * 60
_ACL = b"user::rw-,user:1000:r--,group::r--,mask::r--,other::---"
_SPARSE = ((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"))
_HOLES = _padded(b"2\n4096\n512\n1048576\n0\n")

_NAMES: tuple[Vector, ...] = (
    _good("file", "a regular file, every field",
          _header(b"etc/hosts", mode=0o4755, uid=1000, gid=100, size=5, mtime=1_700_000_000, owner=b"karla",
                  group=b"users"),
          ("type", b"0".hex()), ("path", b"etc/hosts".hex()), ("mode", str(0o4755)), ("uid", "1000"), ("gid", "100"),
          ("size_bytes", "5"), ("mtime_ns", "1700000000000000000"), ("owner", b"karla".hex()),
          ("group", b"users".hex()), ("atime_ns", "null"), ("sparse", "null"), ("acl_access", "null")),
    _good("directory", "a directory", _header(b"etc/", type_=b"5", mode=0o755), ("path", b"etc".hex())),
    _good("symlink", "a symbolic link", _header(b"l", type_=b"2", link=b"../x"), ("link", b"../x".hex())),
    _good("hard-link", "a hard link", _header(b"l", type_=b"1", link=b"f"), ("type", b"1".hex())),
    _good("fifo", "a FIFO", _header(b"p", type_=b"6")),
    _good("character-device", "a character device", _header(b"n", type_=b"3", device=(1, 3)),
          ("device.0", "1"), ("device.1", "3")),
    _good("block-device", "a block device", _header(b"s", type_=b"4", device=(259, 0o7777777)),
          ("device.1", "2097151")),
    _good("name-100", "a name as long as its field", _header(b"n" * 100), ("path", (b"n" * 100).hex())),
    _good("name-101", "a name one byte longer, with no place to split",
          _pax((b"path", b"n" * 101)) + _header(b"n" * 100), ("path", (b"n" * 101).hex())),
    _good("split", "split between name and prefix", _header(b"name", prefix=_DEEP[:-1]),
          ("path", (_DEEP + b"name").hex())),
    _good("split-256", "name and prefix full", _header(b"n" * 100, prefix=b"p" * 155),
          ("path", (b"p" * 155 + b"/" + b"n" * 100).hex())),
    _good("split-directory", "a directory split before its last name",
          _header(b"n" * 99 + b"/", type_=b"5", prefix=b"d"), ("path", (b"d/" + b"n" * 99).hex())),
    _good("name-257", "one byte longer than name and prefix",
          _pax((b"path", b"p" * 155 + b"/" + b"n" * 101)) + _header((b"p" * 155)[:100]),
          ("path", (b"p" * 155 + b"/" + b"n" * 101).hex())),
    _good("name-not-utf8", "a name that is not UTF-8 and fits its field", _header(b"caf\xe9"),
          ("path", b"caf\xe9".hex())),
    _good("long-not-utf8", "one that does not fit",
          _pax((b"hdrcharset", b"BINARY"), (b"path", b"\xe9" * 200)) + _header(b"\xe9" * 100),
          ("path", (b"\xe9" * 200).hex())),
    _good("link-100", "a link target as long as its field", _header(b"l", type_=b"2", link=b"t" * 100),
          ("link", (b"t" * 100).hex())),
    _good("link-101", "a link target one byte longer",
          _pax((b"linkpath", b"t" * 101)) + _header(b"l", type_=b"2", link=b"t" * 100),
          ("link", (b"t" * 101).hex())),
    _good("link-not-utf8", "a long link target that is not UTF-8",
          _pax((b"hdrcharset", b"BINARY"), (b"linkpath", b"\xff" * 101))
          + _header(b"l", type_=b"2", link=b"\xff" * 100), ("link", (b"\xff" * 101).hex())),
    _good("owner-32", "an owner too long for its field",
          _pax((b"uname", b"o" * 32), (b"gname", b"g" * 32)) + _header(owner=b"o" * 31, group=b"g" * 31),
          ("owner", (b"o" * 32).hex()), ("group", (b"g" * 32).hex())),
)  # fmt: skip

_NUMBERS: tuple[Vector, ...] = (
    _good("size-8-gib-less-1", "the largest size in octal", _header(size=8**11 - 1), ("size_bytes", str(8**11 - 1))),
    _good("size-8-gib", "the first that takes a record", _with(b"size", b"%d" % 8**11), ("size_bytes", str(8**11))),
    _good("size-63-bits", "the largest of all", _with(b"size", b"%d" % (2**63 - 1)), ("size_bytes", str(2**63 - 1))),
    _good("uid-2097151", "the largest owner in octal", _header(uid=2097151), ("uid", "2097151")),
    _good("uid-2097152", "the first that takes a record",
          _pax((b"uid", b"2097152"), (b"gid", b"4294967294")) + _header(), ("uid", "2097152"),
          ("gid", "4294967294")),
    _good("mtime-ns", "a time with nanoseconds", _with(b"mtime", b"1700000000.123456789", mtime=1_700_000_000),
          ("mtime_ns", "1700000000123456789")),
    _good("mtime-before-1970", "half a second before 1970", _with(b"mtime", b"-0.500000000"),
          ("mtime_ns", "-500000000")),
    _good("mtime-1901", "whole seconds before 1970", _with(b"mtime", b"-2147483648"),
          ("mtime_ns", "-2147483648000000000")),
    _good("mtime-2243", "a time that takes 34 bits", _with(b"mtime", b"%d" % 8**11, mtime=8**11 - 1),
          ("mtime_ns", "8589934592000000000")),
    _good("atime", "both times", _pax((b"mtime", b"1.500000000"), (b"atime", b"2")) + _header(mtime=1),
          ("atime_ns", "2000000000")),
    _good("mtime-short-fraction", "fewer decimals than nine", _with(b"mtime", b"1.5", mtime=1),
          ("mtime_ns", "1500000000"), canonical=False),
    _good("mtime-long-fraction", "more decimals than nine", _with(b"mtime", b"1.5000000009", mtime=1),
          ("mtime_ns", "1500000000"), canonical=False),
)  # fmt: skip

_RECORDS: tuple[Vector, ...] = (
    _good("xattr", "extended attributes, one with a binary value",
          _pax((b"SCHILY.xattr.user.a", b"text"), (b"SCHILY.xattr.user.b", b"\0\n=\xff 1 a=b\n")) + _header(),
          ("xattrs.0.0", b"user.a".hex()), ("xattrs.0.1", b"text".hex()), ("xattrs.1.1", b"\0\n=\xff 1 a=b\n".hex())),
    _good("xattr-empty", "an extended attribute without a value",
          _with(b"SCHILY.xattr.user.a", b""), ("xattrs.0.1", "")),
    _good("xattr-equals", "an extended attribute with = and % in its name",
          _with(b"SCHILY.xattr.user.a%3Db%25c", b"x=y"), ("xattrs.0.0", b"user.a=b%c".hex()),
          ("xattrs.0.1", b"x=y".hex())),
    _good("acl", "both ACLs",
          _pax((b"SCHILY.acl.access", _ACL), (b"SCHILY.acl.default", _ACL)) + _header(b"d/", type_=b"5"),
          ("acl_access", _ACL.hex()), ("acl_default", _ACL.hex())),
    _good("part", "a part of what came through a pipe",
          _pax((b"TAPEKIT.part", b"1"), (b"TAPEKIT.path", b"dump"), (b"TAPEKIT.last", b"1"))
          + _header(b"dump.tkpart.00000001", size=9), ("extra.0.1", b"1".hex()), ("extra.2.0", b"TAPEKIT.last".hex())),
    _good("delta", "the only part of a delta",
          _pax((b"TAPEKIT.path", b"f"), (b"TAPEKIT.delta", b"1"), (b"TAPEKIT.base", b"00" * 16),
               (b"TAPEKIT.base_offset", b"512"), (b"TAPEKIT.at", b"0"), (b"TAPEKIT.last", b"1"),
               (b"TAPEKIT.sha256", b"00" * 32))
          + _header(b"f.tkdelta.00000001", size=30), ("extra.0.1", b"f".hex()), ("extra.3.1", b"512".hex())),
    _good("sparse", "data between two holes",
          _pax(*_SPARSE, (b"GNU.sparse.name", b"d/f"), (b"GNU.sparse.realsize", b"1048576"))
          + _header(b"d/GNUSparseFile.0/f", size=1024) + _HOLES, ("path", b"d/f".hex()), ("size_bytes", "1048576"),
          ("sparse.0.0", "4096"), ("sparse.0.1", "512"), ("sparse.1.0", "1048576")),
    _good("sparse-long", "a sparse file with a long name",
          _pax(*_SPARSE, (b"GNU.sparse.name", b"n" * 200), (b"GNU.sparse.realsize", b"1048576"))
          + _header(b"GNUSparseFile.0/" + b"n" * 84, size=1024) + _HOLES, ("path", (b"n" * 200).hex())),
    _good("sparse-empty", "nothing but a hole",
          _pax(*_SPARSE, (b"GNU.sparse.name", b"f"), (b"GNU.sparse.realsize", b"4096"))
          + _header(b"GNUSparseFile.0/f", size=512) + _padded(b"1\n4096\n0\n"), ("size_bytes", "4096")),
    _good("record-99", "a record of 99 bytes", _with(b"SCHILY.xattr.user.a", b"x" * 75)),
    _good("record-101", "a record of 101 bytes: 100 does not exist", _with(b"SCHILY.xattr.user.a", b"x" * 76)),
    _good("foreign-record", "a keyword that nobody knows", _with(b"comment", b"hello"), canonical=False),
    _good("old-type", "a regular file as old archives have it", _header(type_=b"\0"), ("type", b"0".hex()),
          canonical=False),
    _good("spaces", "numbers with spaces around", _header(uid=b"  1750 \0", size=b"      12345 "),
          ("uid", "1000"), ("size_bytes", str(0o12345)), canonical=False),
)  # fmt: skip

_BAD: tuple[Vector, ...] = (
    _bad("empty", "no bytes", b""),
    _bad("short", "a byte too short", _header()[:-1]),
    _bad("zeros", "an end of archive", bytes(512)),
    _bad("magic", "GNU tar's old magic", _header(magic=b"ustar  \0")),
    _bad("checksum", "checksum wrong", _header(checksum=b"000001\0 ")),
    _bad("checksum-text", "a checksum that is no number", _header(checksum=b"checksum")),
    _bad("type-unknown", "an unknown type", _header(type_=b"7")),
    _bad("type-global", "a global header", _header(type_=b"g")),
    _bad("type-gnu-long", "GNU tar's long name", _header(type_=b"L")),
    _bad("name-empty", "no name", _header(b"")),
    _bad("name-slash", "the root", _header(b"/", type_=b"5")),
    _bad("size-base-256", "a size that is not octal", _header(size=b"\x80" + bytes(10) + b"\1")),
    _bad("size-negative", "a negative size", _header(size=b"-0000000001\0")),
    _bad("uid-hexadecimal", "an owner that is not octal", _header(uid=b"00000ff\0")),
    _bad("alone", "a pax header, and nothing behind it", _pax((b"uid", b"1"))),
    _bad("twice", "two pax headers", _pax((b"uid", b"1")) * 2 + _header()),
    _bad("header-of-8-gib", "a pax header that claims 8 GiB", _pax(size=8**11 - 1) + _header()),
    _bad("record-no-length", "a record without a length", _body(b" path=x\n")),
    _bad("record-no-space", "a record without a space", _body(b"9path=xy\n")),
    _bad("record-length-0", "a record of no bytes", _body(b"0 path=x\n")),
    _bad("record-length-short", "a record that ends early", _body(b"8 path=x\n")),
    _bad("record-length-long", "a record that ends behind the header", _body(b"99 path=x\n")),
    _bad("record-length-giant", "a record of 10^20 bytes", _body(b"99999999999999999999 path=x\n")),
    _bad("record-length-10000-digits", "a length that takes long to read", _body(b"9" * 10_000 + b" path=x\n")),
    _bad("record-length-signed", "a length with a sign", _body(b"+9 path=x\n")),
    _bad("record-no-equals", "a record without a value", _body(b"7 path\n")),
    _bad("record-no-keyword", "a record without a keyword", _body(b"5 =x\n")),
    _bad("record-no-line-feed", "a record without its line feed", _body(b"9 path=x ")),
    _bad("record-twice", "a keyword twice", _body(b"9 path=x\n9 path=y\n")),
    _bad("keyword-nul", "a keyword with a zero byte", _with(b"SCHILY.xattr.user.\0", b"x")),
    _bad("path-nul", "a name with a zero byte", _with(b"path", b"a\0b")),
    _bad("path-slash", "a name of slashes", _with(b"path", b"//")),
    _bad("linkpath-nul", "a link target with a zero byte", _with(b"linkpath", b"a\0b", type_=b"2")),
    _bad("size-text", "a size in words", _with(b"size", b"many")),
    _bad("size-64-bits", "a size over 63 bits", _with(b"size", b"%d" % 2**63)),
    _bad("size-signed", "a negative size in a record", _with(b"size", b"-1")),
    _bad("uid-text", "an owner in words", _with(b"uid", b"root")),
    _bad("mtime-nan", "a time that only floats know", _with(b"mtime", b"nan")),
    _bad("mtime-exponent", "a time with an exponent", _with(b"mtime", b"1e9")),
    _bad("mtime-64-bits", "a time over 64 bits", _with(b"mtime", b"%d" % 2**63)),
    _bad("atime-empty", "no time", _with(b"atime", b"")),
    _bad("sparse-0-1", "sparse format 0.1", _pax(
        (b"GNU.sparse.major", b"0"), (b"GNU.sparse.minor", b"1"), (b"GNU.sparse.realsize", b"0")) + _header()),
    _bad("sparse-no-size", "a sparse member without its size", _pax(
        *_SPARSE, (b"GNU.sparse.name", b"f")) + _header(size=512) + _padded(b"0\n")),
)  # fmt: skip

_MAPS: tuple[Vector, ...] = (
    _map("good", OK, "two extents", _padded(b"2\n0\n4096\n1048576\n0\n"), ("0.1", "4096"), ("1.0", "1048576")),
    _map("none", OK, "no extents", _padded(b"0\n")),
    _map("touching", OK, "extents that touch", _padded(b"2\n0\n512\n512\n512\n"), ("1.0", "512")),
    _map("empty", DAMAGED, "no bytes", b""),
    _map("no-number", DAMAGED, "no number", _padded(b"many\n")),
    _map("no-line-feed", DAMAGED, "a number without an end", b"1" * 512),
    _map("negative", DAMAGED, "a negative count", _padded(b"-1\n")),
    _map("count-giant", DAMAGED, "claims 10^18 extents", _padded(b"1000000000000000000\n0\n1\n")),
    _map("count-over-limit", DAMAGED, "claims one extent over the limit", _padded(b"131073\n0\n1\n")),
    _map("count-too-large", DAMAGED, "claims an extent more than it lists", _padded(b"2\n0\n1\n")),
    _map("not-a-number", DAMAGED, "a place in words", _padded(b"1\nx\n1\n")),
    _map("overlap", DAMAGED, "extents that overlap", _padded(b"2\n0\n512\n511\n1\n")),
    _map("descending", DAMAGED, "an extent before the one before it", _padded(b"2\n512\n1\n0\n1\n")),
    _map("beyond", DAMAGED, "an extent beyond the file", _padded(b"1\n1048576\n1\n")),
    _map("size-giant", DAMAGED, "an extent over 63 bits", _padded(b"1\n0\n9223372036854775808\n")),
    _map("number-long", DAMAGED, "a place of 400 digits", _padded(b"1\n" + b"0" * 400 + b"\n1\n")),
)  # fmt: skip

MEMBERS: tuple[Vector, ...] = (*_NAMES, *_NUMBERS, *_RECORDS, *_BAD, *_MAPS)
