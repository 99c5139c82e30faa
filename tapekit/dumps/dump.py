"""What a dump is."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Dump:
    """A copy of a database in a file, proven to be readable."""

    name: str
    """The database, as reports name it."""
    path: Path
    size_bytes: int
    seconds: float
