"""Catalog tables and small streams for the tests, from sections 7 and 8 of the specification alone."""

import hashlib
import os
import struct
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

CHANGED, SHORT, ABSENT, SPARSE, DELTA = 1, 2, 4, 8, 16


@dataclass(frozen=True)
class Entry:
    """A member in the catalog."""

    path: bytes
    type: str = "f"
    flags: int = 0
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    note: bytes = b""
    base: int = 0
    reference: int = 0
    size: int = 0
    valid: int | None = None
    mtime_ns: int = 0
    offset: int = 0xFFFFFFFFFFFFFFFF
    sha256: bytes = bytes(32)
    link: bytes = b""


def table(entries: Sequence[Entry], first: int) -> bytes:
    n = len(entries)
    strings = [b"", *sorted({e.note for e in entries} - {b""})]
    paths, links = b"".join(e.path for e in entries), b"".join(e.link for e in entries)

    def column(code: str, values: list[int]) -> bytes:
        return struct.pack(f">{n}{code}", *values)

    return b"".join(
        [
            b"TKC1" + struct.pack(">IQHII", n, first, len(strings), len(paths), len(links)),
            "".join(e.type for e in entries).encode(),
            column("B", [e.flags for e in entries]),
            column("I", [e.mode for e in entries]),
            column("I", [e.uid for e in entries]),
            column("I", [e.gid for e in entries]),
            column("H", [0] * n),
            column("H", [0] * n),
            column("H", [strings.index(e.note) for e in entries]),
            column("H", [e.base for e in entries]),
            column("Q", [e.reference for e in entries]),
            column("Q", [0] * n),
            column("Q", [e.size for e in entries]),
            column("Q", [e.size if e.valid is None else e.valid for e in entries]),
            column("q", [e.mtime_ns for e in entries]),
            column("q", [0] * n),
            column("Q", [e.offset for e in entries]),
            b"".join(e.sha256 for e in entries),
            column("I", [len(e.path) for e in entries]),
            column("I", [len(e.link) for e in entries]),
            paths,
            links,
            b"".join(struct.pack(">H", len(s)) + s for s in strings),
        ]
    )


TYPES = {b"0": "f", b"1": "h", b"2": "l", b"3": "c", b"4": "b", b"5": "d", b"6": "p"}


def entries_of(stream: bytes) -> list[Entry]:
    """The catalog of a pax stream, as Python's own tar reader understands it."""
    entries = []
    with tarfile.open(fileobj=BytesIO(stream), errors="surrogateescape", encoding="utf-8") as tar:
        for info in tar:
            header_at = info.offset
            if stream[header_at + 156 : header_at + 157] == b"x":
                pax_bytes = int(stream[header_at + 124 : header_at + 135], 8)
                header_at += 512 + -(-pax_bytes // 512) * 512
            stored = stream[header_at + 512 :][: int(stream[header_at + 124 : header_at + 135], 8)]
            kind = TYPES[stream[header_at + 156 : header_at + 157]]
            link = info.linkname.encode(errors="surrogateescape")
            entries.append(
                Entry(
                    path=info.name.rstrip("/").encode(errors="surrogateescape"),
                    type=kind,
                    flags=SPARSE if "GNU.sparse.major" in info.pax_headers else 0,
                    mode=info.mode & 0o7777,
                    size=info.size if kind == "f" else len(link) if kind == "l" else 0,
                    mtime_ns=max(-(2**63), min(2**63 - 1, int(info.mtime) * 10**9)),
                    offset=info.offset,
                    sha256=hashlib.sha256(stored).digest() if kind == "f" else bytes(32),
                    link=link,
                )
            )
    return entries


def tree_stream(root: Path, excluded: Sequence[bytes] = ()) -> bytes:
    """A directory as GNU tar packs it: another program's reading of pax."""
    names = b"".join(sorted(name + b"\0" for name in os.listdir(os.fsencode(root))))
    options = ["--format=pax", "--xattrs", "--xattrs-include=*", "--acls", "--sparse", "--numeric-owner"]
    command = [b"tar", b"--create", b"--file=-", b"--sort=name", *map(os.fsencode, options)]
    command += [b"--directory=" + os.fsencode(root), b"--anchored", b"--no-wildcards"]
    command += [b"--exclude=" + path for path in excluded]
    command += [b"--null", b"--verbatim-files-from", b"--files-from=-"]
    return subprocess.run(command, input=names, capture_output=True, check=True).stdout


def simple_stream(files: dict[str, bytes]) -> bytes:
    """Regular files in a pax tar."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mtime = 1700000000.25
            tar.addfile(info, BytesIO(content))
    return out.getvalue()
