"""The site: its configuration, state, catalog and keys, and whether anything starts its nights."""

import os
from collections.abc import Iterator
from pathlib import Path

from drivers.changer.changer import Inventory
from drivers.changer.pairing import why_other
from drivers.errors import Busy as DriveBusy
from drivers.errors import DriveError
from tapekit import changers, drives
from tapekit.config import file
from tapekit.config.doubts import doubts
from tapekit.config.load import BadConfiguration, load
from tapekit.config.schema import Configuration
from tapekit.errors import Busy, TapekitError
from tapekit.evidence import Evidences, state_directory
from tapekit.jobs import lookup
from tapekit.jobs.doctor.finding import Finding, Gravity
from tapekit.jobs.nightly.lock import shared
from tapekit.jobs.nightly.setting import setting
from tapekit.report.said import said
from tapekit.schedule import install
from tapekit.units import size_text

HOLDER = "tapekit doctor"
LEAST_FREE_BYTES = 200 << 20
"""The catalog grows by a few MB a night, and has to be copied when it is put right."""


def configured(chosen: str | None) -> tuple[Configuration | None, list[Finding]]:
    """The configuration, where there is a good one, and what is wrong with it."""
    try:
        found = load(chosen)
    except BadConfiguration as error:
        return None, [
            _of_file(Gravity.PROBLEM, f"{it.file}, line {it.line or '?'}", f"{it.field}: {it.why}", it.hint)
            for it in error.problems
        ]
    except TapekitError as error:
        why = str(error).removeprefix("configuration: ")
        is_there = file.find(chosen) is not None
        gravity = Gravity.PROBLEM if is_there else Gravity.WARNING
        return None, [_of_file(gravity, chosen or "tapekit.toml", why, error.hint)]
    schemes = tuple(scheme for scheme, _ in drives.DRIVERS)
    doubted = [_of_file(Gravity.WARNING, field, why, "tapekit config check") for field, why in doubts(found, schemes)]
    return found, doubted or [_of_file(Gravity.GOOD, chosen or "tapekit.toml", said("good"), None)]


def _of_file(gravity: Gravity, where: str, what: str, to_do: str | None) -> Finding:
    return Finding(gravity, "configuration", where, what, "", to_do or "")


def wanted_nodes(configuration: Configuration | None) -> frozenset[str]:
    """The nodes that its drives stand for."""
    urls = [drive.url for drive in configuration.drives.values()] if configuration else []
    return frozenset(os.path.realpath(url.partition(":")[2]) for url in urls)


def examine(configuration: Configuration, chosen: str | None) -> Iterator[Finding]:
    """All that can be said of a site's own set-up."""
    yield from _state(configuration.site.state or state_directory())
    yield from _catalog(chosen)
    yield from _keys(configuration)
    yield from _changers(configuration)
    for job in configuration.jobs:
        if install.installed(None, job):
            yield Finding(Gravity.GOOD, "schedule", job, said("its nights are started"))
        else:
            yield Finding(
                Gravity.WARNING, "schedule", job, said("nothing starts its nights"),
                said("tapekit has installed neither timer nor line for cron"), "tapekit schedule install",
            )  # fmt: skip


def _state(state: Path) -> Iterator[Finding]:
    there = next(folder for folder in (state, *state.parents) if folder.is_dir())
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            Gravity.PROBLEM, "state", str(state), said("this user may not write there"),
            said("what is proven, what runs and what is where is kept there"),
            said("run tapekit as root, or as whose it is"),
        )  # fmt: skip
        return
    about = os.statvfs(there)
    free = about.f_bavail * about.f_frsize
    if free < LEAST_FREE_BYTES:
        yield Finding(
            Gravity.WARNING, "state", str(state), said("only {size} are free", size=size_text(free)),
            said("catalog, journal and dumps of databases grow there"), said("make room on that disk"),
        )  # fmt: skip
    elif problem := Evidences(state).problem:
        yield Finding(
            Gravity.WARNING,
            "state",
            str(state),
            problem,
            said("the proofs of copies are kept there"),
            said("look at that file"),
        )
    else:
        yield Finding(Gravity.GOOD, "state", str(state), said("can be written"))


def _catalog(chosen: str | None) -> Iterator[Finding]:
    try:
        store = lookup.open_kept(chosen)
        if store is not None:
            with store:
                known = len(store.stock().cartridges)
            yield Finding(Gravity.GOOD, "catalog", "catalog", said("opens; cartridges: {count}", count=str(known)))
    except TapekitError as error:
        yield Finding(
            Gravity.PROBLEM, "catalog", "catalog", str(error), "", error.hint or "tapekit catalog check"
        )  # fmt: skip


def _keys(configuration: Configuration) -> Iterator[Finding]:
    for name in configuration.jobs:
        refused = setting(configuration, name).refused_keys()
        if refused is not None:
            hint = getattr(refused, "hint", None)
            yield Finding(
                Gravity.PROBLEM,
                "keys",
                name,
                str(refused),
                said("nothing is written that nobody could open"),
                hint or "tapekit keys list",
            )
            return
    folder = configuration.keys.directory
    if folder is not None and any(folder.glob("*.pub")):
        yield Finding(Gravity.GOOD, "keys", str(folder), said("they can be used"))


def _changers(configuration: Configuration) -> Iterator[Finding]:
    """Whether each drive is the one that its changer fills; one that is in use now is not asked."""
    state = configuration.site.state or state_directory()
    for name, drive in configuration.drives.items():
        if drive.changer is None:
            continue
        try:
            with shared(state, drive.url, HOLDER), shared(state, drive.changer, HOLDER):
                glance, found = drives.glance(drive.url), _inventory(drive.changer)
        except (Busy, DriveBusy):
            continue
        except (DriveError, TapekitError) as error:
            yield Finding(
                Gravity.WARNING, "changer", name, str(error), said("a night would have no cartridge brought"),
                error.hint or "",
            )  # fmt: skip
            continue
        why = why_other(found, drive.number, glance.identity, drive.url) if glance is not None else ""
        if why:
            yield Finding(
                Gravity.PROBLEM, "changer", name, why, said("a night would use neither the drive nor the changer"),
                said("write the right number into the configuration"),
            )  # fmt: skip
        else:
            yield Finding(
                Gravity.GOOD,
                "changer",
                name,
                said("its drive {number} is {url}", number=str(drive.number), url=drive.url),
            )


def _inventory(url: str) -> Inventory:
    changer = changers.open_changer(url, {})
    try:
        return changer.inventory()
    finally:
        changer.close()
