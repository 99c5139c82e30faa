"""A cartridge that is put in for a restore is not written until it is let go, or was seen to be taken out.

The catalog keeps the lock, and in which drive the cartridge was. Once another one, or none, is found there, it is out.
"""

import os
from datetime import datetime
from typing import TYPE_CHECKING

from tapekit.model import GONE, Cartridge, Place

if TYPE_CHECKING:
    from tapekit.catalog.store import Store

SETTING = "restores"
"""Of the catalog: the drive by the id of the cartridge's label."""


def begin(store: "Store", cartridge: Cartridge, url: str, at: datetime) -> None:
    """A restore from a cartridge begins."""
    if cartridge.place not in GONE and cartridge.place is not Place.DRIVE:
        store.move(cartridge.name, Place.DRIVE, at, "for a restore")
    if not cartridge.is_locked:
        store.lock(cartridge.name, at)
    store.set_setting(SETTING, _drives(store) | {cartridge.label: _same(url)})


def end(store: "Store", cartridge: Cartridge, at: datetime, note: str) -> None:
    """A cartridge is out of the drive; one that is out of service stays that."""
    if cartridge.place not in GONE:
        store.move(cartridge.name, Place.SHELF, at, note)
    elif cartridge.is_locked:
        store.unlock(cartridge.name, at)
    drives = _drives(store)
    if drives.pop(cartridge.label, None) is not None:
        store.set_setting(SETTING, drives)


def taken_out(store: "Store", url: str, label: str | None, at: datetime) -> None:
    """In a drive is the cartridge with this label, or another thing, or nothing: what was there before is out."""
    gone = [other for other, drive in _drives(store).items() if drive == _same(url) and other != label]
    if not gone:
        return
    stock = store.stock()
    for other in gone:
        cartridge = stock.labelled(other)
        if cartridge is not None and cartridge.is_locked:
            end(store, cartridge, at, "taken out")


def _drives(store: "Store") -> dict[str, str]:
    """Which cartridge was put into which drive."""
    return dict(store.setting(SETTING) or {})


def _same(url: str) -> str:
    """The same for a relative path and an absolute one."""
    scheme, _, path = url.partition(":")
    return f"{scheme}:{os.path.abspath(path)}"  # noqa: PTH100 - a link is the drive, what it leads to is not
