"""The configuration file: so far, drives by name.

[drives]
office = "disk:/dev/disk/by-id/usb-TANDBERG_RDX"
"""

import os
import tomllib
from pathlib import Path

from tapekit.errors import UsageError

FILE_NAME = "tapekit.toml"
SYSTEM_FILE = Path("/etc/tapekit") / FILE_NAME


def find(chosen: str | None) -> Path | None:
    """The configuration file: the chosen one, TAPEKIT_CONFIG, /etc/tapekit, or the user's; None where there is none."""
    if named := chosen or os.environ.get("TAPEKIT_CONFIG"):
        return Path(named)
    user = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "tapekit" / FILE_NAME
    return next((path for path in (SYSTEM_FILE, user) if path.is_file()), None)


def drives(chosen: str | None) -> dict[str, str]:
    """URL of each drive by its name. Raises UsageError for a file that cannot be used."""
    path = find(chosen)
    if path is None:
        return {}
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"configuration: {path}: {(error.strerror or '').lower()}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"configuration: {path}: {error}") from error
    named = content.get("drives", {})
    if not isinstance(named, dict) or not all(isinstance(url, str) for url in named.values()):
        raise UsageError(
            f"configuration: {path}: drives: expected names with a URL each",
            'for example: office = "disk:/dev/sdb"',
        )
    return named
