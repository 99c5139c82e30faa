"""Where a site keeps what is not in the configuration itself, looked up without the rest of it."""

import dataclasses
import os
from pathlib import Path
from typing import Any

from tapekit.config import file
from tapekit.errors import UsageError

KEYS_FOLDER = "keys"
_OF_SITE = ("name", "language", "state", "catalog", "catalog_password_file")


@dataclasses.dataclass(frozen=True)
class Places:
    """The site's name and language, its state directory (None: the usual one), and the directory of its public keys.

    Where its catalog is, as `site.catalog` and its password file have it; whether there is a site in the configuration.
    """

    site: str
    language: str
    state: Path | None
    keys: Path
    catalog: str = "sqlite"
    catalog_password_file: str | None = None
    is_configured: bool = False


def places(chosen: str | None) -> Places:
    """What the configuration says of them; the usual ones where there is none. Raises UsageError."""
    path = file.find(chosen)
    content: dict[str, Any] = file.parse(path)[1] if path is not None else {}
    site, keys = content.get("site", {}), content.get("keys", {})
    wanted = (*((site, key) for key in _OF_SITE), (keys, "directory"))
    found = [str(table.get(key) or "") for table, key in wanted if isinstance(table, dict)]
    if len(found) < len(wanted) or any(not isinstance(table.get(key, ""), str) for table, key in wanted):
        raise UsageError(f"configuration: {path}: site, keys: expected texts", "tapekit config check says which")
    name, language, state, catalog, password_file, directory = found
    beside = path.parent if path is not None else _usual_folder()
    return Places(
        name, language or "en", Path(state) if state else None,
        Path(directory) if directory else beside.absolute() / KEYS_FOLDER, catalog or "sqlite", password_file or None,
        "site" in content,
    )  # fmt: skip


def _usual_folder() -> Path:
    return (file.SYSTEM_FILE if os.geteuid() == 0 else file.user_file()).parent
