"""Where the configuration file is, and its content as TOML has it."""

import os
import tomllib
from pathlib import Path
from typing import Any

from tapekit.errors import UsageError

FILE_NAME = "tapekit.toml"
SYSTEM_FILE = Path("/etc/tapekit") / FILE_NAME


def user_file() -> Path:
    """The user's own configuration file, whether it is there or not."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "tapekit" / FILE_NAME


def find(chosen: str | None) -> Path | None:
    """The configuration file: the chosen one, TAPEKIT_CONFIG, /etc/tapekit, or the user's; None where there is none."""
    if named := chosen or os.environ.get("TAPEKIT_CONFIG"):
        return Path(named)
    return next((path for path in (SYSTEM_FILE, user_file()) if path.is_file()), None)


def parse(path: Path) -> tuple[str, dict[str, Any]]:
    """Text and content of a configuration file. Raises UsageError where it cannot be read or is no TOML."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        return text, tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"configuration: {path}: {(error.strerror or '').lower()}", _hint(error)) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"configuration: {path}: line {line}: not UTF-8", "save it as UTF-8 in the editor") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"configuration: {path}: not TOML: {error}") from error


def _hint(error: OSError) -> str | None:
    if isinstance(error, IsADirectoryError):
        return f"name the file, such as {FILE_NAME} in it"
    if isinstance(error, FileNotFoundError):
        return "tapekit init writes one"
    if isinstance(error, PermissionError):
        return "run it as root, or let this user read the file"
    return None
