"""Never lose the night: every way on with what is in reach, and the one that loses least."""

import dataclasses
import enum
from collections.abc import Collection, Sequence
from datetime import date

from tapekit.errors import Exit
from tapekit.model import Cartridge, Stock
from tapekit.rotation.choose import Choice, last_written
from tapekit.rotation.loss import Kind, Loss, losses
from tapekit.rotation.permit import Reason, Refusal, may_append, may_overwrite
from tapekit.rotation.retention import Policy, Reuse
from tapekit.rotation.words import Words

NOTHING = Loss()


class State(enum.StrEnum):
    """What a drive holds."""

    OWN = "own"
    """A cartridge with a label of this project that can be read; whether it is ours to write, the rules say."""
    BLANK = "blank"
    FOREIGN = "foreign"
    """Not a cartridge, or one whose label cannot be read."""
    EMPTY = "empty"
    BAD = "bad"
    """The drive, or what is in it, does not work."""


@dataclasses.dataclass(frozen=True)
class InReach:
    """A drive and what is in it now."""

    drive: str
    state: State
    cartridge: Cartridge | None = None
    """Where the state is OWN; as the drive has it now: its room, its write protection."""
    capacity_bytes: int | None = None
    is_write_protected: bool = False
    """Of a blank medium."""
    barcode: str = ""
    """As a changer reads it; a blank medium is named by it."""
    is_in_slot: bool = False
    """In a changer's slot, and what is said of it is what was known last."""

    @property
    def fetch(self) -> str:
        """By which barcode a changer brings it into the drive; empty where it is there."""
        return self.barcode if self.is_in_slot else ""


class Action(enum.StrEnum):
    """What a way does."""

    APPEND = "append"
    OVERWRITE = "overwrite"
    LABEL = "label"
    """Make a blank medium a cartridge, and write it."""
    SPOOL = "spool"
    """Write to the server's disk, and to a cartridge later."""


class Outcome(enum.Enum):
    """How well a night is kept."""

    CLEAN = "clean"
    WARNING = "warning"
    """On a cartridge that was not the one."""
    SPOOLED = "spooled"
    NOTHING = "nothing"

    @property
    def exit_code(self) -> Exit:
        """What a run ends with, where nothing else happens."""
        return {"clean": Exit.DONE, "warning": Exit.WARNINGS, "spooled": Exit.CARTRIDGE}.get(self.value, Exit.FAILED)


@dataclasses.dataclass(frozen=True)
class Way:
    """A way on, and what it loses."""

    action: Action
    drive: str | None = None
    cartridge: str | None = None
    loss: Loss = NOTHING
    is_wanted: bool = False
    fetch: str = ""
    """Barcode of the cartridge that a changer has to bring first; then it is looked at, and decided anew."""
    goes_on: bool = False
    """It takes a part of the night alone; the night goes on on another cartridge."""

    @property
    def outcome(self) -> Outcome:
        """How well the night is kept this way."""
        if self.action is Action.SPOOL:
            return Outcome.SPOOLED
        return Outcome.CLEAN if self.is_wanted else Outcome.WARNING

    def words(self, today: date) -> Words:
        """As people read it, with what is lost."""
        english, french = _ACTIONS[self.action]
        said = Words(english.format(self.cartridge), french.format(self.cartridge))
        if self.goes_on:
            said = Words(f"{said.en}, then go on on another one", f"{said.fr}, puis continuer sur une autre")
        if not self.loss:
            return said
        lost = self.loss.words(today)
        return Words(f"{said.en}, which loses {lost.en}", f"{said.fr}, ce qui fait perdre {lost.fr}")


_ACTIONS = {
    Action.APPEND: ("append to {}", "ajouter à {}"),
    Action.OVERWRITE: ("overwrite {}", "écraser {}"),
    Action.LABEL: ("label the blank medium {}", "étiqueter le support vierge sous le nom {}"),
    Action.SPOOL: ("spool to the server’s disk", "mettre en attente sur le disque du serveur"),
}


@dataclasses.dataclass(frozen=True)
class Decision:
    """The way that is taken, the others in their order, and why each drive cannot be used as it should."""

    way: Way | None
    """None: the night cannot be kept."""
    others: tuple[Way, ...]
    refused: tuple[tuple[str, Words], ...]
    """Drive or `spool`, and why it cannot be used, or not as it should be."""

    @property
    def outcome(self) -> Outcome:
        """How well the night is kept."""
        return self.way.outcome if self.way else Outcome.NOTHING


@dataclasses.dataclass(frozen=True)
class Night:
    """What has to go somewhere: bytes with all that a cartridge needs around them, and where they are already."""

    today: date
    """The night that is written."""
    choice: Choice
    reuse: Reuse
    needed_bytes: int
    spool_bytes: int | None = None
    """Room in the spool; None: there is no spool."""
    written: Collection[str] = ()
    """Cartridges that have this night's archive already: no other copy goes there, and nothing is spooled."""
    unproven: Collection[str] = ()
    """Labels of cartridges that only the medium itself tells of: with the catalog lost or out of reach nobody knows
    what else holds the same nights, or who put the cartridge in and why. They are written behind, never over."""
    is_stock_known: bool = True
    """Whether the catalog tells of all cartridges. A blank medium gets no name that another one may have otherwise."""
    is_rest: bool = False
    """What has to go somewhere is the rest of an archive: `written` are the cartridges that hold its first parts."""
    can_ask: bool = False
    """Somebody is there who changes the cartridge when one is full."""
    is_divisible: bool = True
    """Not so for what was divided already: each part then has its place on one cartridge."""


Ranked = tuple[tuple[int, ...], Way]


def decide(night: Night, in_reach: Sequence[InReach], stock: Stock, policy: Policy) -> Decision:
    """The way on that loses least.

    Best is the cartridge that was chosen, as its rotation says. Then come, each with a warning: behind what another own
    cartridge holds, or on a blank medium (nothing is lost); over the own cartridge, no longer protected, that loses
    fewest nights, the oldest first. Then over several, where none takes it all and the rest has its place too; the
    spool. What may not be written is never among the ways.
    """
    ways: list[Ranked] = []
    refused: list[tuple[str, Words]] = []
    for drive in in_reach:
        found, why = _ways(drive, night, stock, policy)
        ways += found
        refused += [(drive.drive, reason) for reason in why]
    if night.is_divisible and (not night.written or night.is_rest):
        ways += _parts(night, in_reach, stock, policy)
    if (not night.written or night.is_rest) and night.spool_bytes is not None:
        if night.spool_bytes >= night.needed_bytes:
            ways.append(((_SPOOL,), Way(Action.SPOOL)))
        else:
            refused.append(("spool", Words("not enough room", "pas assez de place")))
    # Of two that are as good, the one that is in the drive
    ordered = tuple(way for _, way in sorted(ways, key=lambda ranked: (ranked[0], bool(ranked[1].fetch))))
    return Decision(ordered[0] if ordered else None, ordered[1:], tuple(refused))


_WANTED, _APPEND, _OVERWRITE, _SEVERAL, _SPOOL, _DIVIDED = range(6)
SMALLEST_PART_BYTES = 4 << 20
"""With less room a cartridge takes no part of a night."""
FEWEST = 20
"""Nor does one behind what it holds that would take less than this fraction of the night."""


def _ways(drive: InReach, night: Night, stock: Stock, policy: Policy) -> tuple[list[Ranked], list[Words]]:
    """The ways that lead over a drive, the lowest rank the best; and why it cannot be used, or not as it should be."""
    if drive.state is State.BLANK:
        return _blank(drive, night, stock)
    if drive.state is State.OWN and drive.cartridge:
        return _own(drive, drive.cartridge, night, stock, policy)
    return [], [_STATES[drive.state]]


def _own(
    drive: InReach, cartridge: Cartridge, night: Night, stock: Stock, policy: Policy
) -> tuple[list[Ranked], list[Words]]:
    name, is_wanted = cartridge.name, cartridge.name in night.choice.names
    if name in night.written:
        return [], [Words(f"{name} has this night already", f"{name} contient déjà cette nuit")]
    append = may_append(cartridge, stock, policy, night.needed_bytes)
    overwrite = may_overwrite(cartridge, stock, policy, night.today, needed_bytes=night.needed_bytes)
    if cartridge.label in night.unproven:
        overwrite = (*overwrite, _UNPROVEN)
    ways = []
    if not append:
        ways.append(Way(Action.APPEND, drive.drive, name, NOTHING, is_wanted, drive.fetch))
    if not overwrite:
        ways.append(Way(Action.OVERWRITE, drive.drive, name, losses(stock, {name}), is_wanted, drive.fetch))
    why = []
    if not is_wanted:
        wanted = ", ".join(night.choice.names) or "–"
        why.append(Words(f"{name} is in, {wanted} is wanted", f"{name} est en place au lieu de {wanted}"))
    if not ways:
        why += dict.fromkeys(refusal.words for refusal in (*append, *overwrite))
    return [(_rank(way, cartridge, night), way) for way in ways], why


def _rank(way: Way, cartridge: Cartridge, night: Night) -> tuple[int, ...]:
    if way.is_wanted:
        return _WANTED, night.choice.names.index(cartridge.name), way.action.value != night.reuse.value
    if way.action is Action.APPEND:
        is_of_set = cartridge.name in night.choice.turn.names
        return _APPEND, not is_of_set, cartridge.pool != night.choice.turn.pool, -(cartridge.remaining_bytes or 0)
    written = last_written(cartridge)
    return _OVERWRITE, *(len(way.loss.nights(kind)) for kind in Kind), written.date().toordinal() if written else 0


def _blank(drive: InReach, night: Night, stock: Stock) -> tuple[list[Ranked], list[Words]]:
    """A blank medium becomes the chosen cartridge where none has that name, a spare one otherwise.

    One that a run was about to label when it was killed has its name still, and no label. What a changer reads on it is
    its name, so that the changer finds it again.
    """
    if drive.is_write_protected:
        return [], [Words("blank, and write-protected", "vierge, et protégé en écriture")]
    if drive.capacity_bytes is not None and drive.capacity_bytes < night.needed_bytes:
        return [], [Words("blank, and too small", "vierge, et trop petit")]
    taken = {cartridge.name for cartridge in stock.cartridges}
    labelled = {cartridge.name for cartridge in stock.cartridges if cartridge.label}
    names = [name for name in night.choice.names if drive.barcode in ("", name)]
    new = next((name for name in names if name not in labelled and night.is_stock_known), None)
    stem = "SPARE" if night.is_stock_known else f"SPARE-{night.today:%y%m%d}"
    spare = next(name for number in range(1, len(taken) + 2) if (name := f"{stem}-{number}") not in taken)
    if drive.barcode and drive.barcode not in labelled:
        spare = drive.barcode
    way = Way(Action.LABEL, drive.drive, new or spare, is_wanted=new is not None, fetch=drive.fetch)
    is_due = drive.barcode in night.choice.names  # with the catalog lost it may be the one, and no blank at all
    rank = (_WANTED, night.choice.names.index(new), 2) if new else (_APPEND, 2, not is_due)
    return [(rank, way)], [] if new else [Words("a blank medium is in", "un support vierge est en place")]


def _parts(night: Night, in_reach: Sequence[InReach], stock: Stock, policy: Policy) -> list[Ranked]:
    """The ways over a cartridge that takes a part, where there is a place for the rest.

    That is on what else is in reach, on what somebody brings, or in the spool; a rest, which may be smaller than it is
    reckoned, takes what there is. A night that would fit an emptier cartridge rather waits in the spool as a whole than
    being divided between the two.
    """
    needed = min(SMALLEST_PART_BYTES, night.needed_bytes)
    least = dataclasses.replace(night, needed_bytes=needed, reuse=Reuse.OVERWRITE)  # what does not take it all is full
    ways: list[tuple[Ranked, InReach, int]] = []
    rooms = 0
    for drive in in_reach:
        rooms_here = []
        for ranked in _ways(drive, least, stock, policy)[0]:
            room = room_bytes(drive, ranked[1])
            if room is not None and (ranked[1].action is not Action.APPEND or room * FEWEST >= night.needed_bytes):
                rooms_here.append(room)
                ways += [(ranked, drive, room)] if room < night.needed_bytes else []
        rooms += max(rooms_here, default=0)
    in_spool = max(0, night.needed_bytes - rooms)
    parts: list[Ranked] = []
    if night.can_ask or night.is_rest or in_spool <= (night.spool_bytes or 0):
        for (rank, way), drive, room in ways:
            is_small = (capacity_bytes(drive) or room) < night.needed_bytes
            first = _SEVERAL if night.can_ask or not in_spool or is_small else _DIVIDED
            parts.append(((first, *rank), dataclasses.replace(way, goes_on=True)))
    return parts


def room_bytes(drive: InReach, way: Way) -> int | None:
    """What there is where a way over a drive leads; None where nobody can tell."""
    return drive.cartridge.remaining_bytes if way.action is Action.APPEND and drive.cartridge else capacity_bytes(drive)


def capacity_bytes(drive: InReach) -> int | None:
    """Of what is in a drive; None where nobody can tell."""
    return drive.cartridge.capacity_bytes if drive.cartridge else drive.capacity_bytes


_UNPROVEN = Refusal(Reason.UNPROVEN, Words(
    "the catalog does not know it yet, so nothing on it is overwritten",
    "le catalogue ne la connaît pas encore : rien n’y est écrasé",
))  # fmt: skip
_STATES = {
    State.OWN: Words("its label cannot be read", "son étiquette est illisible"),
    State.FOREIGN: Words("holds something that is not this site’s", "contient autre chose que les données de ce site"),
    State.EMPTY: Words("no cartridge", "pas de cartouche"),
    State.BAD: Words("does not work", "ne fonctionne pas"),
}
