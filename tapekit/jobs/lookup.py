"""Where the catalog is, for the commands that look something up in it."""

from pathlib import Path
from typing import Any

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from tapekit.catalog.store import Store
from tapekit.config import file
from tapekit.errors import KeyNeeded, KeyRefused, UsageError
from tapekit.evidence import state_directory
from tapekit.keys import secret

FILE_NAME = "catalog.sqlite"


def open_store(chosen: str | None) -> Store:
    """The catalog that the configuration names, or the one in the state directory. Raises UsageError, CatalogError."""
    path = file.find(chosen)
    site: Any = file.parse(path)[1].get("site", {}) if path is not None else {}
    known = {name: site.get(name) for name in ("name", "state", "catalog", "catalog_password_file")}
    if any(not isinstance(value, str | None) for value in known.values()):
        raise UsageError(f"configuration: {path}: site: expected texts", "tapekit config check says which")
    state = Path(known["state"]) if known["state"] else state_directory()
    return Store.open(place(state, known["catalog"] or "sqlite", known["catalog_password_file"]), known["name"] or "")


def place(state: Path, catalog: str, password_file: str | Path | None) -> str | Path:
    """What opens the catalog: its file in the state directory, or a URL with the password in it. Raises UsageError."""
    if catalog == "sqlite":
        return state / FILE_NAME
    if password_file is None:
        return catalog
    try:
        with secret.resolve(f"file:{password_file}", "catalog password") as found:
            password = found.content.decode("utf-8", "surrogateescape")
        return make_url(catalog).set(password=password).render_as_string(hide_password=False)
    except (KeyNeeded, KeyRefused) as error:
        raise UsageError(str(error), error.hint) from error
    except ArgumentError as error:
        raise UsageError("catalog: not a URL", "write it like postgresql://tapekit@server/catalog") from error
