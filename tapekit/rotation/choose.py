"""Which cartridges of a turn's set go in: their history decides."""

import dataclasses
from collections.abc import Iterable
from datetime import UTC, date, datetime

from tapekit.model import Cartridge, Place, Stock
from tapekit.rotation.turn import Turn
from tapekit.rotation.words import Words, date_words, joined

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_GONE = {Place.LOST: Words("is lost", "est perdue"), Place.RETIRED: Words("is retired", "est retirée")}


@dataclasses.dataclass(frozen=True)
class Choice:
    """The cartridges that go in, in their order, and those of the set that cannot any more."""

    turn: Turn
    names: tuple[str, ...]
    """Fewer than were asked for, where the set has fewer in service."""
    skipped: tuple[str, ...]
    why: Words


def choose(turn: Turn, stock: Stock, per_night: int = 1) -> Choice:
    """The cartridges of the set that go in on the turn's night.

    First the one that holds something of this night already (a run that was broken off; another job), then one that was
    never written, then the one that was not written for longest. Those that are lost or retired are skipped.
    """
    known = {name: stock.named(name) for name in turn.names}
    skipped = tuple(name for name, cartridge in known.items() if cartridge and not cartridge.is_in_service)
    usable = [name for name in turn.names if name not in skipped]
    chosen = tuple(sorted(usable, key=lambda name: _age(known[name], turn.night))[:per_night])
    reasons = [turn.why]
    reasons += [_history(name, known[name], turn) for name in chosen if len(usable) > per_night]
    reasons += _skipped(skipped, known.values())
    if len(chosen) < per_night:
        reasons.append(Words(f"{len(chosen)} of {per_night} cartridges in service",
                             f"{len(chosen)} cartouches sur {per_night} en service"))  # fmt: skip
    return Choice(turn, chosen, skipped, joined(reasons))


def _age(cartridge: Cartridge | None, night: date) -> tuple[bool, datetime]:
    """Sorts what goes in first to the front. Equal ones stay in the order of the set."""
    if cartridge is None:
        return True, _LONG_AGO
    return not _holds(cartridge, night), last_written(cartridge) or _LONG_AGO


def last_written(cartridge: Cartridge) -> datetime | None:
    """When a cartridge was last written an archive, as far as is known."""
    started = (copy.started for copy in cartridge.copies)
    return cartridge.last_written or max(started, default=None)


def _holds(cartridge: Cartridge, night: date) -> bool:
    return any(copy.night == night for copy in cartridge.copies)


def _history(name: str, cartridge: Cartridge | None, turn: Turn) -> Words:
    written = last_written(cartridge) if cartridge else None
    if cartridge and _holds(cartridge, turn.night):
        return Words(
            f"{name} holds something of this night already", f"{name} contient déjà quelque chose de cette nuit"
        )
    if written is None:
        return Words(f"{name} was never written", f"{name} n’a jamais été écrite")
    nights = [copy.night for copy in cartridge.copies] if cartridge else []
    when = date_words(max(nights, default=written.date()), turn.night)
    return Words(f"{name} was last written on {when.en}", f"{name} a été écrite pour la dernière fois le {when.fr}")


def _skipped(names: Iterable[str], cartridges: Iterable[Cartridge | None]) -> list[Words]:
    places = {cartridge.name: cartridge.place for cartridge in cartridges if cartridge}
    return [Words(f"{name} {_GONE[places[name]].en}", f"{name} {_GONE[places[name]].fr}") for name in names]
