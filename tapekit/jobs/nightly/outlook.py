"""What a night finds and what it needs, before anything is decided; the evening check asks the same."""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime

from formats.segment import COMPLETE, CONTINUED
from tapekit.evidence import Evidences
from tapekit.jobs.nightly import reach, spool
from tapekit.jobs.nightly.feed import Feeds
from tapekit.jobs.nightly.setting import Setting
from tapekit.model import Cartridge, Copy, Stock
from tapekit.rotation.choose import Choice, choose
from tapekit.rotation.decide import Action, Decision, InReach, Night, State, Way, decide, room_bytes
from tapekit.rotation.loss import Standing, archives
from tapekit.rotation.retention import Policy, Rotation
from tapekit.rotation.turn import Turn
from tapekit.rotation.words import Words

SLACK_BYTES = 8 << 20
CLOSED = (COMPLETE, CONTINUED)
"""States of what may be all that there is of a night: of an archive on several cartridges, all but the last go on."""
RATIO_MARGIN = 1.2
"""A night may compress that much worse than the nights before it."""
_STATES = {
    reach.Found.CARTRIDGE: State.OWN,
    reach.Found.BLANK: State.BLANK,
    reach.Found.FOREIGN: State.FOREIGN,
    reach.Found.DAMAGED: State.FOREIGN,
    reach.Found.NOTHING: State.EMPTY,
    reach.Found.NO_DRIVE: State.BAD,
}


@dataclasses.dataclass(frozen=True)
class Seen:
    """The drives as rotation reasons with them, and all cartridges: as the drives have them, and as they are known."""

    drives: tuple[InReach, ...]
    stock: Stock
    found: tuple[reach.InDrive, ...]
    """The same as they were found."""


def look(setting: Setting, night: date, known: Stock, evidences: Evidences, feeds: Feeds | None = None) -> Seen:
    """Look into every drive of the job, and at what changers could bring there."""
    feeds = feeds or Feeds(setting.feeds)
    found = tuple(feeds.with_slots(reach.look(setting.drives, known, evidences), known))
    ours = [c for drive in found if (c := drive.cartridge) and is_ours(c, known, setting.site)]
    by_name = {cartridge.name: cartridge for cartridge in known.cartridges}
    by_name |= {cartridge.name: cartridge for cartridge in ours}
    whole = _whole(by_name.values(), setting)
    by_name |= {cartridge.name: _without_remains(cartridge, setting.name, night, whole) for cartridge in ours}
    stock = Stock(tuple(by_name.values()))
    return Seen(tuple(_in_reach(drive, stock) for drive in found), stock, found)


def is_ours(cartridge: Cartridge, known: Stock, site: str) -> bool:
    """Whether a cartridge is this site's: written here, known here, or labelled and still empty.

    One that was replaced by a newer one of its name, and turns up again, is not: its nights count as gone.
    """
    other = known.named(cartridge.name)
    if other and other.label and other.label != cartridge.label and not _is_newer(cartridge, other):
        return False
    if cartridge.site:
        return cartridge.site == site
    return known.labelled(cartridge.label) is not None or not cartridge.copies


def needed_bytes(job: str, stock: Stock, source_bytes: int) -> int:
    """Room that a night takes on a cartridge, with the compression that the job had before."""
    copies = [copy for cartridge in stock.cartridges for copy in cartridge.copies if copy.job == job]
    ratios = [c.stored_bytes / c.source_bytes for c in sorted(copies, key=_started)[-5:] if c.source_bytes]
    ratio = min(1.0, max(ratios) * RATIO_MARGIN) if ratios else 1.0
    return int(source_bytes * ratio * 1.02) + SLACK_BYTES


def turn_of(rotation: Rotation, night: date) -> Turn:
    """Whose turn it is. On a night that the scheme leaves out, a run by hand may take any of its cartridges."""
    why = Words("a run on a day without a night", "une exécution un jour sans nuit")
    return rotation.scheme.turn(night, rotation.calendar) or Turn(night, rotation.scheme.names, "", why)


def question(
    setting: Setting, rotation: Rotation, choice: Choice, needed: int, written: Collection[str], *, can_spool: bool,
    is_rest: bool = False,
) -> Night:  # fmt: skip
    """What has to go somewhere; `written` are cartridges that have it already, or its parts before the rest."""
    directory = setting.job.spool if can_spool else None
    free = None if directory is None else spool.free_bytes(directory)
    return Night(choice.turn.night, choice, rotation.reuse, needed, free, written, is_rest=is_rest)


def doubted(asked: Night, stock: Stock, proven: Collection[str], *, is_stock_known: bool) -> Night:
    """The same question, where the catalog knew these labels alone before the night began."""
    unproven = frozenset(cartridge.label for cartridge in stock.cartridges) - frozenset(proven)
    return dataclasses.replace(asked, unproven=unproven, is_stock_known=is_stock_known)


@dataclasses.dataclass(frozen=True)
class Step:
    """One cartridge of a night that is thought through: what is asked, of which drives, and what is decided."""

    asked: Night
    drives: tuple[InReach, ...]
    stock: Stock
    decision: Decision


def steps(
    asked: Night, drives: tuple[InReach, ...], stock: Stock, policy: Policy, rotation: Rotation
) -> Iterator[Step]:
    """One cartridge after the other, each with what those before it leave; the last one may be without a way."""
    turn, copies, wanted = asked.choice.turn, 0, rotation.per_night
    while copies < wanted:
        written = asked.written if asked.is_rest else ()
        names = tuple(name for name in turn.names if name not in written)
        choice = choose(dataclasses.replace(turn, names=names), stock, 1 if asked.is_rest else wanted)
        asked = dataclasses.replace(asked, choice=choice)
        decision = decide(asked, drives, stock, policy)
        yield Step(asked, drives, stock, decision)
        way = decision.way
        if way is None or way.action is Action.SPOOL or (asked.is_rest and not way.goes_on):
            return
        room = next(room_bytes(drive, way) for drive in drives if (drive.drive, drive.fetch) == (way.drive, way.fetch))
        needed = max(asked.needed_bytes - (room or 0), SLACK_BYTES) if way.goes_on else asked.needed_bytes
        asked = dataclasses.replace(
            asked, written=(*asked.written, way.cartridge or ""), needed_bytes=needed, is_rest=way.goes_on
        )  # fmt: skip
        copies += not way.goes_on
        drives, stock = after(way, drives, stock, turn.pool)


def after(way: Way, drives: Sequence[InReach], stock: Stock, pool: str | None) -> tuple[tuple[InReach, ...], Stock]:
    """Drives and cartridges as a way to a drive will leave them, for the next cartridge of the same night.

    What was overwritten counts for nothing any more; the next blank medium becomes another cartridge. Where the night
    goes on, a changer may bring another one into the same drive.
    """
    left = tuple(
        drive for drive in drives
        if drive.drive != way.drive or (way.goes_on and drive.is_in_slot and drive.fetch != way.fetch)
    )  # fmt: skip
    name = way.cartridge or ""
    before = stock.named(name)
    if way.action is Action.OVERWRITE and before is not None:
        emptied = dataclasses.replace(before, copies=())
        return left, Stock(tuple(emptied if known is before else known for known in stock.cartridges))
    if way.action is Action.LABEL:
        return left, Stock((*stock.cartridges, Cartridge(name, f"label of {name}", pool)))
    return left, stock


def _in_reach(drive: reach.InDrive, stock: Stock) -> InReach:
    cartridge = (stock.labelled(drive.cartridge.label) or drive.cartridge) if drive.cartridge else None
    state = _STATES[drive.found]
    return InReach(
        drive.name, state, cartridge, drive.capacity_bytes or None, drive.is_write_protected, drive.barcode,
        drive.is_in_slot,
    )  # fmt: skip


def _whole(cartridges: Iterable[Cartridge], setting: Setting) -> frozenset[str]:
    """The archives that give everything back, with what waits in the spool."""
    waits = {one.archive for one in spool.sets(setting.job.spool, setting.name)} if setting.job.spool else set()
    return frozenset(held.archive for held in archives(cartridges) if held.standing > Standing.PARTIAL) | waits


def _without_remains(cartridge: Cartridge, job: str, night: date, whole: Collection[str]) -> Cartridge:
    """What a run of this very night left unfinished needs no protection; nor does a part whose archive ends nowhere."""
    kept = tuple(
        c for c in cartridge.copies
        if (c.night, c.job) != (night, job) or (c.state in CLOSED and (not c.is_part or c.archive in whole))
    )  # fmt: skip
    return dataclasses.replace(cartridge, copies=kept)


def _is_newer(cartridge: Cartridge, other: Cartridge) -> bool:
    return other.labelled is None or (cartridge.labelled is not None and cartridge.labelled > other.labelled)


def _started(copy: Copy) -> datetime:
    return copy.started
