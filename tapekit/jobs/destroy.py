"""What would cease to exist if a medium were labelled anew, and whether that may be.

A name given to --destroy lifts everything but what nobody can want: the last verified copy of a job, a cartridge that
was put in for a restore, one that is out of service. What the catalog does not know, or where it cannot be read, the
cartridge alone decides: then a person who names it may overwrite it.
"""

import dataclasses
from typing import TYPE_CHECKING

from drivers.base import Content, Drive
from drivers.errors import BlankMedium, ForeignMedium
from tapekit import clock
from tapekit.cartridge.cartridge import Cartridge as OpenCartridge
from tapekit.cartridge.cartridge import Segment, open_cartridge
from tapekit.errors import CartridgeError, WouldDestroy
from tapekit.jobs.nightly.reach import cartridge_of
from tapekit.model import Cartridge, Stock
from tapekit.rotation.loss import Loss, losses
from tapekit.rotation.permit import HINTS, Reason, may_overwrite
from tapekit.rotation.retention import Policy
from tapekit.units import size_text

if TYPE_CHECKING:
    from tapekit.jobs.memory import Memory  # which the commands read in where they need it

UNREADABLE_NAME = "damaged"
"""What --destroy must repeat for a cartridge whose label cannot be read."""
ANOTHER_COPY = "verify another copy of it first, or back up to another cartridge and verify that: tapekit verify DRIVE"


@dataclasses.dataclass(frozen=True)
class Doomed:
    """What is on a medium, in words, empty where it is nothing that is lost; and what would be no more with it."""

    contents: str = ""
    loss: Loss | None = None
    """None where no catalog tells of other copies."""
    label: str = ""
    """Id of the label that the catalog knows."""


def allow(drive: Drive, destroy: str | None, memory: "Memory | None") -> Doomed:
    """What will cease to exist; raises unless there is nothing, or `destroy` names it.

    Raises ForeignMedium, WouldDestroy, CartridgeError, and what `open_cartridge` raises.
    """
    medium = drive.medium()
    if medium.content is Content.BLANK:
        return Doomed()
    if medium.worm:
        raise CartridgeError(f"{drive.url}: can be written only once, and was", "use another cartridge")
    if medium.content is Content.FOREIGN:
        if destroy == medium.found:
            return Doomed(medium.description)
        raise ForeignMedium(
            f"{drive.url}: not blank: it holds {medium.description}", medium.found,
            f"if that may be lost for good, say so: --destroy {medium.found}",
        )  # fmt: skip
    try:
        opened = open_cartridge(drive)
    except BlankMedium:
        return Doomed()  # laid out for a cartridge, and cut off before there was one
    doomed = _doomed(drive, opened, memory)
    name = opened.label.name if opened.label else UNREADABLE_NAME
    if (not doomed.contents and opened.label) or destroy == name:
        return doomed
    asked = f", and --destroy says {destroy!r}" if destroy is not None else ""
    raise WouldDestroy(
        f"{drive.url}: cartridge {name} holds {doomed.contents}{asked}",
        f"{_preview(doomed.loss)}; if it may, say so: --destroy {name}",
    )


def _doomed(drive: Drive, opened: OpenCartridge, memory: "Memory | None") -> Doomed:
    """Raises WouldDestroy and CartridgeError for what no name lifts."""
    segments = opened.segments()
    contents = _contents(opened, segments)
    stock = memory.stock() if memory else None
    if memory is None or stock is None:
        return Doomed(contents)
    known = _known(opened, segments, stock)
    if known is not None:
        memory.learn(drive)  # what the journal has of it counts too
        stock = memory.stock() or stock
        known = stock.labelled(known.label) or known
        _refuse(drive.url, known, stock, memory.site)
        return Doomed(contents, losses(stock, {known.name}), known.label)
    if opened.label is None:
        return Doomed(contents)
    here = cartridge_of(opened, segments, None, memory.evidences)
    others = tuple(other for other in stock.cartridges if other.name != here.name)
    return Doomed(contents, losses(Stock((*others, here)), {here.name}))


def _known(opened: OpenCartridge, segments: list[Segment], stock: Stock) -> Cartridge | None:
    """The cartridge as the catalog has it; one whose label cannot be read is found by what is on it."""
    if opened.label is not None:
        return stock.labelled(opened.label.cartridge)
    held = {(segment.archive, segment.file) for segment in segments if segment.archive}

    def shared(cartridge: Cartridge) -> int:
        return len(held & {(copy.archive, copy.file) for copy in cartridge.copies})

    found = max(stock.cartridges, key=shared, default=None)
    return found if found is not None and shared(found) else None


def _refuse(url: str, cartridge: Cartridge, stock: Stock, site: str) -> None:
    """What stands against it although its name is given."""
    policy = Policy(site, {})
    for refusal in may_overwrite(cartridge, stock, policy, clock.now().astimezone().date(), cartridge.name):
        said = f"{url}: cartridge {cartridge.name}: {refusal.words}"
        if refusal.reason is Reason.LAST_VERIFIED:
            raise WouldDestroy(said, ANOTHER_COPY)
        raise CartridgeError(said, HINTS.get(refusal.reason))


def _preview(loss: Loss | None) -> str:
    """What goes for good, as far as it is known."""
    if loss is None:
        return "all of that would cease to exist, and no catalog here tells of other copies"
    if not loss:
        return "all of that is on other cartridges too"
    return f"would cease to exist: {loss.words(clock.now().astimezone().date())}"


def _contents(cartridge: OpenCartridge, segments: list[Segment]) -> str:
    """The archives on a cartridge in words; empty where there are none."""
    if not segments:
        return "" if cartridge.label else "nothing that can be read"
    total = sum(s.trailer.stored_bytes for s in segments if s.trailer)
    first, last = segments[0].started, segments[-1].started
    when = f"of {first}" if len(segments) == 1 else f"from {first} to {last}"
    jobs = ", ".join(sorted({s.job for s in segments}))
    return f"{len(segments)} archive{'s' * (len(segments) > 1)} {when} ({jobs}; {size_text(total)})"
