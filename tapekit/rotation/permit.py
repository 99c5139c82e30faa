"""Whether a cartridge may be written, and every reason why not."""

import dataclasses
import enum
from collections.abc import Callable, Iterator
from datetime import date

from tapekit.model import Cartridge, Place, Stock
from tapekit.rotation.loss import Standing, archives
from tapekit.rotation.retention import NEVER, Policy
from tapekit.rotation.words import Words, date_words, spans_words


class Reason(enum.StrEnum):
    """Why a cartridge is not written."""

    UNEXPIRED = "unexpired"
    LAST_VERIFIED = "last-verified"
    FOREIGN = "foreign"
    LOCKED = "locked"
    WRITE_PROTECTED = "write-protected"
    WORM = "worm"
    OUT_OF_SERVICE = "out-of-service"
    FULL = "full"
    TOO_SMALL = "too-small"
    UNPROVEN = "unproven"
    """Only the medium itself tells of it."""


DESTROYABLE = frozenset((Reason.UNEXPIRED, Reason.FOREIGN))
"""What a person may lift by naming the cartridge. The last verified copy of a job is not among them."""

HINTS = {
    Reason.LOCKED: "let it go first: tapekit eject DRIVE",
    Reason.OUT_OF_SERVICE: "take it back into service first: tapekit cartridges move NAME shelf",
}
"""What lifts a reason that no name lifts."""


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A reason why a cartridge is not written, and its words."""

    reason: Reason
    words: Words


def may_overwrite(
    cartridge: Cartridge,
    stock: Stock,
    policy: Policy,
    today: date,
    destroy: str | None = None,
    *,
    needed_bytes: int = 0,
) -> tuple[Refusal, ...]:
    """Every reason why a cartridge may not be overwritten today; none: it may.

    `destroy` is the name of the cartridge that a person gives up. Several copies in one night: ask again, with what is
    known by then, before each one, as what the first one takes away no longer counts for the second.
    """
    refusals = (*_untouchable(cartridge, stock, policy), *_worm(cartridge),
                *_unexpired(cartridge, stock, policy, today), *_last_verified(cartridge, stock, today),
                *_too_small(cartridge, needed_bytes))  # fmt: skip
    given_up = DESTROYABLE if destroy == cartridge.name else frozenset()
    return tuple(refusal for refusal in refusals if refusal.reason not in given_up)


def may_append(cartridge: Cartridge, stock: Stock, policy: Policy, needed_bytes: int = 0) -> tuple[Refusal, ...]:
    """Every reason why nothing may be written behind what a cartridge holds; none: it may."""
    return (*_untouchable(cartridge, stock, policy), *_full(cartridge, needed_bytes))


def _untouchable(cartridge: Cartridge, stock: Stock, policy: Policy) -> Iterator[Refusal]:
    if cartridge.site and cartridge.site != policy.site:
        yield Refusal(
            Reason.FOREIGN, Words(f"of another site: {cartridge.site}", f"d’un autre site : {cartridge.site}")
        )
    elif stock.labelled(cartridge.label) is None:
        yield Refusal(Reason.FOREIGN, Words("its label is not known here", "son étiquette n’est pas connue ici"))
    for reason, is_so, words in _CONDITIONS:
        if is_so(cartridge):
            yield Refusal(reason, words)


_CONDITIONS: tuple[tuple[Reason, Callable[[Cartridge], bool], Words], ...] = (
    (Reason.LOCKED, lambda cartridge: cartridge.is_locked,
     Words("put in for a restore; eject it first", "mise en place pour une restauration ; l’éjecter d’abord")),
    (Reason.WRITE_PROTECTED, lambda cartridge: cartridge.is_write_protected,
     Words("write-protected", "protégée en écriture")),
    (Reason.OUT_OF_SERVICE, lambda cartridge: not cartridge.is_in_service,
     Words("retired or lost", "retirée ou perdue")),
)  # fmt: skip


def _worm(cartridge: Cartridge) -> Iterator[Refusal]:
    if cartridge.is_worm:
        yield Refusal(Reason.WORM, Words("can be written only once", "inscriptible une seule fois"))


def _full(cartridge: Cartridge, needed_bytes: int) -> Iterator[Refusal]:
    if cartridge.remaining_bytes is not None and cartridge.remaining_bytes < needed_bytes:
        yield Refusal(Reason.FULL, Words("not enough room", "pas assez de place"))


def _too_small(cartridge: Cartridge, needed_bytes: int) -> Iterator[Refusal]:
    if cartridge.capacity_bytes is not None and cartridge.capacity_bytes < needed_bytes:
        yield Refusal(Reason.TOO_SMALL, Words("too small", "trop petite"))


def _unexpired(cartridge: Cartridge, stock: Stock, policy: Policy, today: date) -> Iterator[Refusal]:
    protected = policy.protected(cartridge, today, stock)
    if not protected:
        return
    end = max(end for _, end in protected)
    if end == NEVER:
        jobs = ", ".join(sorted({copy.job for copy, end in protected if end == NEVER}))
        yield Refusal(Reason.UNEXPIRED, Words(
            f"holds archives of {jobs}, which the configuration does not name",
            f"contient des archives de {jobs}, que la configuration ne nomme pas",
        ))  # fmt: skip
        return
    until = date_words(end, today)
    yield Refusal(Reason.UNEXPIRED, Words(f"protected until {until.en}", f"protégée jusqu’au {until.fr}"))


def _last_verified(cartridge: Cartridge, stock: Stock, today: date) -> Iterator[Refusal]:
    """One refusal for each job of which no other cartridge in service holds a verified copy."""
    others = [other for other in stock.cartridges if other.label != cartridge.label and other.is_in_service]
    elsewhere = {held.job for held in archives(others) if held.standing is Standing.VERIFIED}
    here = {copy.archive for copy in cartridge.copies}
    last: dict[str, date] = {}
    for held in archives([dataclasses.replace(cartridge, place=Place.DRIVE), *others]):
        if held.archive in here and held.standing is Standing.VERIFIED and held.job not in elsewhere:
            last[held.job] = max(held.night, last.get(held.job, held.night))
    for job, night in sorted(last.items()):
        when = spans_words(((night, night),), today)
        yield Refusal(Reason.LAST_VERIFIED, Words(
            f"the last verified copy of {job}: {when.en}", f"la dernière copie vérifiée de {job} : {when.fr}",
        ))  # fmt: skip
