"""Packs a directory into a stream and a catalog, from sections 7 and 8 of the specification alone."""

import hashlib
import os
import re
import stat
import struct
from collections.abc import Collection, Iterator
from io import BytesIO
from pathlib import Path

from tests.rescue.tables import SPARSE, Entry

TYPES = {
    stat.S_IFREG: (b"0", "f"),
    stat.S_IFLNK: (b"2", "l"),
    stat.S_IFCHR: (b"3", "c"),
    stat.S_IFBLK: (b"4", "b"),
    stat.S_IFDIR: (b"5", "d"),
    stat.S_IFIFO: (b"6", "p"),
}
HARD_LINK = (b"1", "h")
OCTAL_7, OCTAL_11 = 8**7 - 1, 8**11 - 1
ACL_TAGS = {1: "user", 2: "user", 4: "group", 8: "group", 16: "mask", 32: "other"}
NO_ID = 0xFFFFFFFF


def pax_record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    size = len(rest)
    while size != len(rest) + len(str(size)):
        size = len(rest) + len(str(size))
    return b"%d" % size + rest


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def header(
    name: bytes,
    typeflag: bytes,
    *,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime_ns: int = 0,
    link: bytes = b"",
    device: int = 0,
    records: dict[bytes, bytes] | None = None,
) -> bytes:
    """The header blocks of one member: a pax header only where something needs it."""
    pax: dict[bytes, bytes] = {}
    prefix, short = split_name(name)
    if short is None:
        pax[b"path"], short = name, b""
    if len(link) > 100:
        pax[b"linkpath"], link = link, b""
    if any(not is_utf8(value) for value in pax.values()):
        pax = {b"hdrcharset": b"BINARY", **pax}
    numbers = {b"uid": uid, b"gid": gid, b"size": size}
    for key, most in ((b"uid", OCTAL_7), (b"gid", OCTAL_7), (b"size", OCTAL_11)):
        if numbers[key] > most:
            pax[key], numbers[key] = b"%d" % numbers[key], 0
    if mtime_ns % 10**9 or not 0 <= mtime_ns // 10**9 <= OCTAL_11:
        sign, rest = (b"-", -mtime_ns) if mtime_ns < 0 else (b"", mtime_ns)
        pax[b"mtime"], mtime_ns = sign + b"%d.%09d" % divmod(rest, 10**9), 0
    pax |= records or {}
    out = b""
    if pax:
        body = b"".join(pax_record(key, value) for key, value in pax.items())
        out = ustar(b"PaxHeaders/x", b"x", size=len(body)) + padded(body)
    return out + ustar(
        short,
        typeflag,
        mode=mode,
        uid=numbers[b"uid"],
        gid=numbers[b"gid"],
        size=numbers[b"size"],
        mtime=mtime_ns // 10**9,
        link=link,
        device=device,
        prefix=prefix,
    )


def ustar(
    name: bytes,
    typeflag: bytes,
    *,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    link: bytes = b"",
    device: int = 0,
    prefix: bytes = b"",
) -> bytes:
    fields = (
        name,
        b"%07o" % mode,
        b"%07o" % uid,
        b"%07o" % gid,
        b"%011o" % size,
        b"%011o" % mtime,
        b" " * 8,
        typeflag,
        link,
        b"ustar\0",
        b"00",
        b"",
        b"",
        b"%07o" % os.major(device),
        b"%07o" % os.minor(device),
        prefix,
    )
    block = struct.pack("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x", *fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def split_name(name: bytes) -> tuple[bytes, bytes | None]:
    if len(name) <= 100:
        return b"", name
    for match in re.finditer(b"/", name[:156]):
        if 0 < match.start() <= 155 and 0 < len(name) - match.end() <= 100:
            return name[: match.start()], name[match.end() :]
    return b"", None


def is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def acl_text(value: bytes) -> bytes:
    parts = []
    for tag, permissions, number in struct.iter_unpack("<HHI", value[4:]):
        letters = "".join(letter if permissions & bit else "-" for bit, letter in ((4, "r"), (2, "w"), (1, "x")))
        parts.append(f"{ACL_TAGS[tag]}:{'' if number == NO_ID else number}:{letters}")
    return ",".join(parts).encode()


def attribute_records(path: bytes, *, is_link: bool) -> dict[bytes, bytes]:
    records = {}
    for name in sorted(os.listxattr(path, follow_symlinks=not is_link)):
        value = os.getxattr(path, name, follow_symlinks=not is_link)
        if name.startswith("system.posix_acl_"):
            records[b"SCHILY.acl." + os.fsencode(name[17:])] = acl_text(value)
        elif name != "security.selinux":
            spelled = os.fsencode(name).replace(b"%", b"%25").replace(b"=", b"%3D")
            records[b"SCHILY.xattr." + spelled] = value
    return records


def data_ranges(fd: int, size: int) -> Iterator[tuple[int, int]]:
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:  # only a hole is left
            return
        at = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, at - start


def pack(root: Path, *, without: Collection[bytes] = ()) -> tuple[bytes, list[Entry]]:
    """The stream and the catalog of a directory."""
    out, entries, first_names = BytesIO(), [], dict[tuple[int, int], tuple[bytes, int]]()
    start = len(os.fsencode(root)) + 1
    for directory, subdirectories, files, fd in os.fwalk(os.fsencode(root)):
        subdirectories.sort()
        for name in sorted((*subdirectories, *files)):
            path = os.path.join(directory, name)[start:]
            if path not in without:
                entries.append(pack_one(out, path, name, fd, first_names))
    out.write(bytes(1024))
    return out.getvalue(), entries


def pack_one(
    out: BytesIO, path: bytes, name: bytes, parent: int, first_names: dict[tuple[int, int], tuple[bytes, int]]
) -> Entry:
    about = os.stat(name, dir_fd=parent, follow_symlinks=False)
    typeflag, kind = TYPES[stat.S_IFMT(about.st_mode)]
    link = os.readlink(name, dir_fd=parent) if kind == "l" else b""
    records = attribute_records(b"/proc/self/fd/%d/%s" % (parent, name), is_link=kind == "l")
    at, reference, content, size, extents = out.tell(), 0, b"", 0, None
    if kind in "cb":
        reference = os.major(about.st_rdev) << 32 | os.minor(about.st_rdev)
    if kind != "d" and about.st_nlink > 1:
        first, first_at = first_names.setdefault((about.st_dev, about.st_ino), (path, at))
        if first != path:
            (typeflag, kind), link, reference, records = HARD_LINK, first, first_at, {}
    if kind == "f":
        size = about.st_size
        content, extents = read_content(name, parent, size)
    if extents is not None:
        records[b"GNU.sparse.major"], records[b"GNU.sparse.minor"] = b"1", b"0"
        records[b"GNU.sparse.name"], records[b"GNU.sparse.realsize"] = path, b"%d" % size
        numbers = [len(extents), *(number for extent in extents for number in extent)]
        content = padded(b"".join(b"%d\n" % number for number in numbers)) + content
    out.write(
        header(
            path + b"/" * (kind == "d"),
            typeflag,
            mode=stat.S_IMODE(about.st_mode),
            uid=about.st_uid,
            gid=about.st_gid,
            size=len(content),
            mtime_ns=about.st_mtime_ns,
            link=link,
            device=about.st_rdev if kind in "cb" else 0,
            records=records,
        )
    )
    out.write(padded(content))
    return Entry(
        path,
        type=kind,
        flags=SPARSE if extents is not None else 0,
        mode=stat.S_IMODE(about.st_mode),
        uid=about.st_uid,
        gid=about.st_gid,
        reference=reference,
        size=len(link) if kind == "l" else size,
        mtime_ns=max(-(2**63), min(2**63 - 1, about.st_mtime_ns)),
        offset=at,
        sha256=hashlib.sha256(content).digest() if kind == "f" else bytes(32),
        link=link,
    )


def read_content(name: bytes, parent: int, size: int) -> tuple[bytes, list[tuple[int, int]] | None]:
    """What is stored of a regular file, and where it belongs if the file has holes."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        extents = list(data_ranges(fd, size))
        content = b"".join(os.pread(fd, length, start) for start, length in extents)
    finally:
        os.close(fd)
    is_sparse = len(content) < size
    return content, extents if is_sparse else None
