"""The configuration, tapekit.toml.

Every command looks up drives here; the rest (`tapekit.config.load`, `tapekit.config.schema`) is read in by the commands
that need all of it, because it takes a while to start.
"""

from tapekit.config.drives import changers, drives
from tapekit.config.file import find

__all__ = ("changers", "drives", "find")
