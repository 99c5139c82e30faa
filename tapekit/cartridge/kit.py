"""The rescue kit: what lets anyone read a cartridge without tapekit (formats/SPEC.md section 5)."""

import importlib.resources

from formats import pax

RECORD_BYTES = 10_240
FILES = ("README.txt", "rescue.py")


def files() -> dict[str, bytes]:
    """The kit's files by name."""
    folder = importlib.resources.files("tapekit.rescue")
    return {name: folder.joinpath(name).read_bytes() for name in FILES}


def build(labelled_ns: int) -> bytes:
    """The kit as a pax tar, filled up to whole records."""
    parts = []
    for name, content in files().items():
        mode = 0o755 if name.endswith(".py") else 0o644
        member = pax.Member(
            pax.REGULAR, name.encode(), mode, size_bytes=len(content), mtime_ns=labelled_ns - labelled_ns % 10**9
        )
        parts += [pax.build_headers(member), content, bytes(pax.padding(len(content)))]
    tar = b"".join((*parts, pax.END_OF_ARCHIVE))
    return tar + bytes(-len(tar) % RECORD_BYTES)
