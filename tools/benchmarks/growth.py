"""What a member costs in an archive of many: `growth.py COUNT` saves so many, and prints it as JSON.

All steps of a small file are there but those of a file system and a drive: its content is read, hashed and packed with
its headers, its line goes into the catalog, the tables of the catalog are built and compressed. The file is one and the
same under all names.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from formats.block import HEADER_BYTES, TAG_BYTES
from tapekit.cartridge.catalog import CatalogBuilder
from tapekit.jobs.save import Saver
from tapekit.source.walk import Thing
from tapekit.stream.pack import StreamPacker

BLOCK_BYTES = 1 << 20


class Nowhere:
    """Takes cuts, and forgets them."""

    cut = BLOCK_BYTES - HEADER_BYTES - TAG_BYTES

    def __init__(self) -> None:
        """One buffer is enough."""
        self._buffer = bytearray(BLOCK_BYTES)

    def buffer(self) -> bytearray:
        """See stream.pack.Cuts."""
        return self._buffer

    def write_data(self, buffer: bytearray, plain_bytes: int, stream_offset: int) -> None:
        """See stream.pack.Cuts."""


def main() -> None:
    """Save, and say what it took."""
    count, nowhere = int(sys.argv[1]), Nowhere()
    builder = CatalogBuilder(nowhere.cut)
    saver = Saver(StreamPacker(nowhere), builder, lambda: None, lambda _size: None)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"content")
        file.flush()
        status, fd = os.fstat(file.fileno()), file.fileno()
        begun = time.process_time()
        for number in range(count):
            saver.save(Thing(b"department-%d/client-%d/document-%d" % (number % 8, number // 8, number), status, fd))
        stored = sum(len(table.stored) for table, _ in builder.stored(builder.finish()))
        spent = time.process_time() - begun
    json.dump({"cpu_s": spent, "peak_bytes": _peak_bytes(), "catalog_bytes": stored}, sys.stdout)


def _peak_bytes() -> int:
    """Of this process alone: what getrusage says counts from the fork on, when it was its parent still."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


main()
