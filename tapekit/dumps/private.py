"""Private directories: dumps hold what the database protects."""

import os
import stat
from pathlib import Path

from tapekit.dumps.errors import DumpFailed


def private_directory(path: Path) -> Path:
    """A directory that only its owner may enter, made where it is missing.

    Raises DumpFailed where it cannot be made, is another's, or is a link.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise DumpFailed(f"{path}: not used: it is another's, or a link", "name a directory of your own")
        if stat.S_IMODE(status.st_mode) != 0o700:  # noqa: PLR2004
            path.chmod(0o700)
    except OSError as error:
        raise DumpFailed(f"{path}: no place for dumps: {error.strerror}") from error
    return path


def is_secret(path: Path) -> bool:
    """Whether a file is readable by its owner alone; raises OSError."""
    return not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
