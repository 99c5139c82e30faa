"""formats/pax.py against GNU tar and Python's tarfile: each reads what the other wrote."""

import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from formats import pax
from formats.pax import Member

NS = 10**9
ACL = b"user::rw-,user:1000:r--,group::r--,mask::r--,other::---"


def stream(*members: tuple[Member, bytes]) -> bytes:
    parts = [part for member, content in members for part in (
        pax.build_headers(member), content, bytes(pax.padding(len(content))))]  # fmt: skip
    return b"".join((*parts, pax.END_OF_ARCHIVE))


class Found(NamedTuple):
    member: Member
    content: bytes


def parsed(data: bytes) -> Iterator[Found]:
    """Every member of a stream, as tapekit's own reader goes about it."""
    place = 0
    while any(data[place : place + 512]):
        header, records = pax.parse_header(data[place : place + 512]), {}
        place += 512
        if header.type == pax.PAX_HEADER:
            records = pax.parse_pax_records(data[place : place + header.size_bytes])
            place += header.size_bytes + pax.padding(header.size_bytes)
            header = pax.parse_header(data[place : place + 512])
            place += 512
        member, size = pax.combine(header, records)
        yield Found(member, data[place : place + size])
        place += size + pax.padding(size)


def as_tarfile_reads(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as tar:
        return tar.getmembers()


def gnu_tar(*arguments: str | Path, data: bytes | None = None) -> bytes:
    """Raises where it ends with an error, or says anything but that it does not know the keyword `hdrcharset`."""
    if shutil.which("tar") is None or b"GNU tar" not in subprocess.check_output(["tar", "--version"]):
        pytest.skip("GNU tar is not installed")
    command = ["tar", "--warning=no-unknown-keyword", *arguments]
    environment = os.environ | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
    done = subprocess.run(command, input=data, capture_output=True, check=True, env=environment)
    assert done.stderr == b""
    return done.stdout


def name(length: int, *, slashes: bool, last: bytes = b"n") -> bytes:
    text = b"".join(b"%09d/" % at if slashes else b"%010d" % at for at in range(0, length, 10))[: length - 1]
    return text + last


LENGTHS = (1, 2, 31, 98, 99, 100, 101, 102, 110, *range(153, 158), 200, *range(254, 259), 300, 1000, 4000)
NAMES = [*dict.fromkeys(name(length, slashes=slashes) for length in LENGTHS for slashes in (False, True)),
    b"d" * 155 + b"/" + b"n" * 100, b"d" * 156 + b"/" + b"n" * 99, b"d" * 154 + b"/" + b"n" * 101, b"d/" + b"n" * 99,
    "größe/日本語.txt".encode(), "日本語".encode() * 40, b"caf\xe9", b"caf\xe9" * 60, b"\xff" * 101,
    b"with space and\ttab", b"line\nfeed", b"back\\slash", b"= and 10 =\n", b"PaxHeaders/x", b"GNUSparseFile.0/x",
]  # fmt: skip


@pytest.mark.parametrize("type_", (pax.REGULAR, pax.DIRECTORY), ids=("file", "directory"))
def test_names_read_by_tarfile(type_: bytes) -> None:
    found = as_tarfile_reads(stream(*((Member(type_, path), b"") for path in NAMES)))
    assert [os.fsencode(info.name) for info in found] == NAMES
    assert {info.isdir() for info in found} == {type_ == pax.DIRECTORY}


@pytest.mark.parametrize("type_", (pax.REGULAR, pax.DIRECTORY), ids=("file", "directory"))
def test_names_read_by_gnu_tar(type_: bytes) -> None:
    data = stream(*((Member(type_, path), b"") for path in NAMES))
    listed = gnu_tar("-t", "--quoting-style=escape", "--show-transformed-names", data=data).splitlines()
    end = b"/" if type_ == pax.DIRECTORY else b""
    assert [_unquoted(line) for line in listed] == [path + end for path in NAMES]


def _unquoted(line: bytes) -> bytes:
    named = {b"n": b"\n", b"t": b"\t", b"\\": b"\\", b" ": b" "}
    return re.sub(rb"\\([0-7]{3}|.)", lambda m: named.get(m[1]) or bytes((int(m[1], 8),)), line)


@pytest.mark.parametrize("type_", (pax.SYMLINK, pax.HARD_LINK), ids=("symbolic", "hard"))
def test_links(type_: bytes) -> None:
    data = stream(*((Member(type_, b"link", link=target), b"") for target in NAMES))
    assert [os.fsencode(info.linkname) for info in as_tarfile_reads(data)] == NAMES
    arrow = b" -> " if type_ == pax.SYMLINK else b" link to "
    listed = gnu_tar("-tv", "--quoting-style=escape", data=data).splitlines()
    assert [_unquoted(line.split(arrow, 1)[1]) for line in listed] == NAMES


TIMES_NS = (
    0, 1, NS, 1_700_000_000_123_456_789, 1_700_000_000_000_000_001, -1, -NS, -NS - 1, -1_500_000_000, -(2**31) * NS,
    (2**31) * NS, (8**11 - 1) * NS, 8**11 * NS, 8**11 * NS + 1, 20_000_000_000 * NS + 999_999_999,
)  # fmt: skip


def test_times_read_by_gnu_tar() -> None:
    """GNU tar 1.34 adds the fraction of a time before 1970 where it should subtract it, in its own archives too."""
    times = [time for time in TIMES_NS if time >= 0 or time % NS == 0]
    data = stream(*((Member(pax.REGULAR, b"f", mtime_ns=time), b"") for time in times))
    listed = gnu_tar("-tv", "--full-time", data=data).decode().splitlines()
    assert [_time_ns(line) for line in listed] == times


def _time_ns(line: str) -> int:
    """`1969-12-31 23:59:58.5` as nanoseconds since 1970: years beyond 9999 are beyond datetime."""
    text = re.search(r"(-?\d+)-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d+))?", line)
    assert text is not None
    year, month, day, hour, minute, second = map(int, text.groups()[:6])
    # Days from the civil calendar, years beginning in March.
    shifted = year - (month <= 2)
    days = 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400
    days += (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1 - 719468
    return ((days * 24 + hour) * 60 + minute) * 60 * NS + second * NS + int((text[7] or "").ljust(9, "0"))


def test_times_read_by_tarfile() -> None:
    data = stream(*((Member(pax.REGULAR, b"f", mtime_ns=time, atime_ns=time + 1), b"") for time in TIMES_NS))
    for info, time in zip(as_tarfile_reads(data), TIMES_NS, strict=True):
        assert info.mtime == pytest.approx(time / NS)
        assert float(info.pax_headers["atime"]) == pytest.approx((time + 1) / NS)


@pytest.mark.parametrize("size", (0, 1, 511, 512, 513, 8**11 - 1, 8**11, 8**11 + 1, 2**40 + 3))
def test_sizes(size: int) -> None:
    """tarfile needs no content to read a header; GNU tar seeks over a hole of it."""
    headers = pax.build_headers(Member(pax.REGULAR, b"big", size_bytes=size))
    with tarfile.open(fileobj=io.BytesIO(headers)) as tar:
        info = tar.next()
    assert info is not None
    assert info.size == size


def test_size_over_8_gib_read_by_gnu_tar(tmp_path: Path) -> None:
    path, size = tmp_path / "t.tar", 8**11 + 5
    with path.open("wb") as file:
        file.write(pax.build_headers(Member(pax.REGULAR, b"big", size_bytes=size)))
        file.seek(size + pax.padding(size), os.SEEK_CUR)
        file.write(stream((Member(pax.REGULAR, b"behind"), b"")))
    listed = gnu_tar("-tv", "-n", "-f", path).decode().splitlines()
    assert [line.split()[2] for line in listed] == [str(size), "0"]


@pytest.mark.parametrize("uid", (0, 65534, 2097151, 2097152, 2**31, 2**32 - 2))
def test_owners(uid: int) -> None:
    data = stream(
        (Member(pax.REGULAR, b"f", uid=uid, gid=uid - 1 if uid else 0, owner=b"o" * 32, group="größe".encode()), b"")
    )
    (info,) = as_tarfile_reads(data)
    assert (info.uid, info.gid, info.uname, info.gname) == (uid, uid - 1 if uid else 0, "o" * 32, "größe")
    listed = gnu_tar("-tv", "--numeric-owner", data=data).decode().split()
    assert listed[1] == f"{info.uid}/{info.gid}"


@pytest.mark.parametrize("type_", (pax.CHARACTER_DEVICE, pax.BLOCK_DEVICE, pax.FIFO))
def test_special(type_: bytes) -> None:
    data = stream((Member(type_, b"s", 0o4755, device=(259, 1 << 20)), b""))
    (info,) = as_tarfile_reads(data)
    assert (info.type, info.mode, info.devmajor, info.devminor) == (type_, 0o4755, 259, 1 << 20)
    listed = gnu_tar("-tv", data=data).decode().split()
    assert listed[0] == {pax.FIFO: "p", pax.BLOCK_DEVICE: "b", pax.CHARACTER_DEVICE: "c"}[type_] + "rwsr-xr-x"
    if type_ != pax.FIFO:
        assert listed[2] == "259,1048576"


XATTRS = (
    (b"user.plain", b"text"), (b"user.binary", bytes(range(256))), (b"user.empty", b""), (b"user.a=b%c", b"x=y\n"),
    (b"user.%3D", b"1 a=b\n"), ("user.größe".encode(), b"\xff"),
)  # fmt: skip


@pytest.fixture
def attributed(tmp_path: Path) -> Path:
    """A directory on a file system that keeps extended attributes and ACLs."""
    try:
        os.setxattr(tmp_path, "user.try", b"1")
        subprocess.run(["setfacl", "-m", "u:1000:r", tmp_path], check=True, capture_output=True)
        subprocess.run(["setfacl", "-b", tmp_path], check=True)
        os.removexattr(tmp_path, "user.try")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no extended attributes or ACLs here: {error}")
    return tmp_path


def test_attributes_extracted_by_gnu_tar(attributed: Path) -> None:
    member = Member(
        pax.REGULAR, b"f", 0o640, uid=os.geteuid(), gid=os.getegid(), size_bytes=3, xattrs=XATTRS, acl_access=ACL
    )
    data = stream((member, b"abc"))
    gnu_tar("-x", "--xattrs", "--xattrs-include=*", "--acls", "-C", attributed, data=data)
    path = bytes(attributed / "f")
    names = [os.fsencode(key) for key in os.listxattr(path) if key.startswith("user.")]
    assert {key: os.getxattr(path, key) for key in names} == dict(XATTRS)
    listed = subprocess.run(["getfacl", "-cn", attributed / "f"], capture_output=True, check=True).stdout
    assert b",".join(listed.split()) == ACL


def test_attributes_archived_by_gnu_tar(attributed: Path) -> None:
    path = attributed / "f"
    path.write_bytes(b"abc")
    for key, value in XATTRS:
        os.setxattr(path, key, value)
    subprocess.run(["setfacl", "-m", "u:123456:r", path], check=True)
    subprocess.run(["setfacl", "-d", "-m", "u:123456:r", attributed], check=True)
    data = gnu_tar("-c", "--format=pax", "--xattrs", "--acls", "--numeric-owner", "-C", attributed, ".")
    folder, *files = parsed(data)
    for member, content in files:
        assert (member.path.rpartition(b"/")[2], content) == (b"f", b"abc")
        assert {key: value for key, value in member.xattrs if key.startswith(b"user.")} == dict(XATTRS)
        assert member.acl_access is not None
        assert b"user:123456:r--" in member.acl_access
        assert member.mtime_ns == path.stat().st_mtime_ns
    assert len(files) == 1
    assert folder.member.acl_default is not None
    assert b"user:123456:r--" in folder.member.acl_default


EXTENTS = ((0, 4096), (1 << 20, 8192), (3 << 20, 0))
SPARSE_NAMES = (b"sparse", b"d/" * 20 + b"sparse", b"s" * 101, b"caf\xe9" * 60)


def test_sparse_read_by_both(tmp_path: Path) -> None:
    content = bytes(range(256)) * 48
    for path in SPARSE_NAMES:
        member = Member(pax.REGULAR, path, size_bytes=3 << 20, sparse=EXTENTS)
        data = stream((member, pax.sparse_map(EXTENTS) + content), (Member(pax.REGULAR, b"behind"), b""))
        expected = content[:4096] + bytes((1 << 20) - 4096) + content[4096:] + bytes((2 << 20) - 8192)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            sparse, behind = tar.getmembers()
            file = tar.extractfile(sparse)
            assert file is not None
            assert file.read() == expected
            assert (os.fsencode(sparse.name), behind.name) == (path, "behind")
        gnu_tar("-x", "-C", tmp_path, data=data)
        extracted = bytes(tmp_path) + b"/" + path
        assert Path(os.fsdecode(extracted)).read_bytes() == expected
        if len(path) < 60:
            assert os.stat(extracted).st_blocks * 512 < 1 << 20


def test_sparse_archived_by_gnu_tar(tmp_path: Path) -> None:
    for file_name in ("sparse", "s" * 150):
        with (tmp_path / file_name).open("wb") as file:
            file.seek(1 << 20)
            file.write(b"x" * 5000)
            file.truncate(4 << 20)
        data = gnu_tar("-c", "--format=pax", "--sparse", "-C", tmp_path, file_name)
        ((member, stored),) = parsed(data)
        assert (member.path, member.size_bytes, member.sparse) == (file_name.encode(), 4 << 20, ())
        found = pax.parse_sparse_map(stored, member.size_bytes)
        assert found is not None
        extents, used = found
        whole = bytearray(member.size_bytes)
        place = used
        for offset, size in extents:
            whole[offset : offset + size] = stored[place : place + size]
            place += size
        assert place == len(stored)
        assert whole == (tmp_path / file_name).read_bytes()


def test_names_archived_by_gnu_tar(tmp_path: Path) -> None:
    names = [path for path in NAMES if max(map(len, path.split(b"/"))) < 256 and len(path) < 3000]
    for path in names:
        whole = os.path.join(bytes(tmp_path), path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "wb") as file:
            file.write(path[:10])
        os.utime(whole, ns=(1, len(path) * NS + 5))
    listing = b"\0".join(names)
    data = gnu_tar("-c", "--format=pax", "-C", tmp_path, "--null", "--verbatim-files-from", "-T", "-", data=listing)
    assert [(m.path, c, m.mtime_ns) for m, c in parsed(data)] == [(p, p[:10], len(p) * NS + 5) for p in names]


def test_members_written_by_tarfile() -> None:
    target = io.BytesIO()
    infos = []
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number, path in enumerate(NAMES):
            info = tarfile.TarInfo(os.fsdecode(path))
            info.size, info.mtime, info.uid, info.gid = len(path), number + 0.5, 2**22 + number, 5
            info.mode, info.uname, info.gname = 0o4711, "größe", "g" * 40
            infos.append(info)
            tar.addfile(info, io.BytesIO(path))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "t" * 300
        tar.addfile(link)
    *found, last = parsed(target.getvalue())
    assert [(m.path, c) for m, c in found] == [(path, path) for path in NAMES]
    assert [m.mtime_ns for m, _ in found] == [number * NS + NS // 2 for number in range(len(NAMES))]
    assert [m.uid for m, _ in found] == [2**22 + number for number in range(len(NAMES))]
    assert {(m.mode, m.owner, m.group) for m, _ in found} == {(0o4711, "größe".encode(), b"g" * 40)}
    assert (last.member.type, last.member.link) == (pax.SYMLINK, b"t" * 300)


def test_tapekit_records_disturb_nobody() -> None:
    extra = ((b"TAPEKIT.part", b"1"), (b"TAPEKIT.path", b"caf\xe9"))
    data = stream((Member(pax.REGULAR, b"f.tkpart.00000001", size_bytes=3, extra=extra), b"abc"))
    (info,) = as_tarfile_reads(data)
    assert (info.name, info.size) == ("f.tkpart.00000001", 3)
    done = subprocess.run(["tar", "-xO"], input=data, capture_output=True, check=True)
    assert done.stdout == b"abc"
