"""Journals: files of JSON lines in the state directory, which are only ever added to.

They need nothing but a disk. One that cannot be read or written stops nothing: `problem` says so.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class Journal:
    """One journal. A line that a crash tore is passed over, and the next one begins on a line of its own."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path
        self.problem = ""

    def lines(self) -> Iterator[Any]:
        """What is there, oldest first: whatever is JSON; who reads it knows what is his."""
        try:
            text = self._path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return
        except OSError as error:
            self.problem = f"{self._path}: {error.strerror}"
            return
        for line in text.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def add(self, line: Mapping[str, Any]) -> None:
        """Write a line; when this returns it is on the disk, or `problem` says why not."""
        try:
            make_private(self._path.parent)
            with self._path.open("a+b") as journal:
                is_torn = journal.tell() and os.pread(journal.fileno(), 1, journal.tell() - 1) != b"\n"
                journal.write(b"\n" * bool(is_torn) + json.dumps(line).encode() + b"\n")
                journal.flush()
                os.fsync(journal.fileno())
        except OSError as error:
            self.problem = f"{self._path}: {error.strerror}"


def make_private(directory: Path) -> None:
    """Make a directory, and those on the way, for its owner alone: the names of a site's files concern nobody else.

    One that is there stays as it is. Raises OSError.
    """
    for path in (*reversed(directory.parents), directory):
        if not path.is_dir():
            path.mkdir(mode=0o700, exist_ok=True)
