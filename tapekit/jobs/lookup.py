"""Where the catalog is, for the commands that look something up in it or write down what they did."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tapekit.config.places import Places, places
from tapekit.errors import KeyNeeded, KeyRefused, UsageError
from tapekit.evidence import state_directory
from tapekit.keys import secret

if TYPE_CHECKING:
    from tapekit.catalog.store import Store

FILE_NAME = "catalog.sqlite"


def open_store(chosen: str | None) -> "Store":
    """The catalog that the configuration names, or the one in the state directory. Raises UsageError, CatalogError."""
    return _open(places(chosen))


def open_to_ask(chosen: str | None) -> "Store":
    """The catalog for a command that only asks: none is made, which would know nothing and say so as if it were true.

    Raises CatalogMissing, UsageError, CatalogError.
    """
    return _open(places(chosen), must_exist=True)


def open_kept(chosen: str | None) -> "Store | None":
    """The catalog of a machine that keeps one: a site is configured, or it is there; None where neither is so.

    Raises UsageError, CatalogError.
    """
    found = places(chosen)
    is_kept = found.is_configured or os.path.lexists((found.state or state_directory()) / FILE_NAME)
    return _open(found) if is_kept else None


def _open(found: Places, *, must_exist: bool = False) -> "Store":
    from tapekit.catalog.store import Store  # noqa: PLC0415 - takes a quarter of the start; many machines keep none

    chosen = place(found.state or state_directory(), found.catalog, found.catalog_password_file)
    return Store.open(chosen, found.site, must_exist=must_exist)


def place(state: Path, catalog: str, password_file: str | Path | None) -> str | Path:
    """What opens the catalog: its file in the state directory, or a URL with the password in it. Raises UsageError."""
    if catalog == "sqlite":
        return state / FILE_NAME
    from sqlalchemy import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

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
