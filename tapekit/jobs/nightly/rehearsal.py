"""A night that is only thought through: what is in, what it would do, and what would be lost. Nothing is written.

No hook runs and no database is dumped: what a dump takes is what it took last time.
"""

import dataclasses
from collections.abc import Mapping
from datetime import date

from tapekit.catalog.errors import CatalogMissing
from tapekit.errors import Busy, Exit, TapekitError, exit_code
from tapekit.evidence import Evidences
from tapekit.jobs import plan
from tapekit.jobs.nightly import lock, outlook, refusals, sizes
from tapekit.jobs.nightly.keep import problem_of
from tapekit.jobs.nightly.setting import Setting
from tapekit.jobs.sealing import Sealing
from tapekit.model import Stock
from tapekit.report.night import Note
from tapekit.rotation.choose import choose
from tapekit.rotation.decide import Action, Decision, Night, Outcome, Way, room_bytes
from tapekit.rotation.retention import Policy
from tapekit.rotation.turn import Turn

Sizes = Mapping[str, list[tuple[date, int]]]


@dataclasses.dataclass(frozen=True)
class Rehearsal:
    """What a night would do."""

    job: str
    night: date
    seen: outlook.Seen
    steps: tuple[tuple[Night, Decision], ...]
    """One for each cartridge that would be written; the last one is without a way where there are not enough. What is
    decided for the rest of a night that goes over several is a step too."""
    source_bytes: int
    warnings: tuple[Note, ...]
    """What the night would tell of sizes and of the catalog."""
    refused: tuple[Note, ...]
    """Why drives would not be used, where the night would not be on all the cartridges it should be on."""
    failure: TapekitError | None = None
    """Why the night would fail before it takes any way."""

    @property
    def ways(self) -> tuple[Way, ...]:
        """Those that would be taken."""
        return tuple(decision.way for _, decision in self.steps if decision.way and self.failure is None)

    @property
    def others(self) -> tuple[Way, ...]:
        """Those that could be taken instead."""
        return self.steps[0][1].others if self.failure is None else ()

    @property
    def exit_code(self) -> Exit:
        """What the night would end with, were nothing else to happen."""
        if self.failure is not None:
            return exit_code(self.failure)
        outcomes = {way.outcome for way in self.ways}
        if not outcomes:
            return refusals.exit_code(self.refused)
        if Outcome.SPOOLED in outcomes:
            return Exit.CARTRIDGE
        return Exit.WARNINGS if self.refused or self.warnings or Outcome.WARNING in outcomes else Exit.DONE

    def room_bytes(self, way: Way) -> int | None:
        """What there is where a way leads; None where nobody can tell."""
        if way.action is Action.SPOOL:
            return self.steps[0][0].spool_bytes
        drive = next(drive for drive in self.seen.drives if drive.drive == way.drive and drive.fetch == way.fetch)
        return room_bytes(drive, way)


def rehearse(setting: Setting, night: date) -> Rehearsal:
    """Think a night through. Raises Busy where a run holds a drive: what it will leave, nobody knows."""
    for _, url in setting.drives:
        holder = lock.holder(setting.locks, url)
        if holder is not None:
            raise Busy(f"{url}: in use by {holder}", "let it end, or look at what it does: tapekit status")
    known, before, problem = _known(setting)
    policy = plan.policy(setting.configuration, known, night)
    seen = outlook.look(setting, night, known, Evidences(setting.state))
    found = sizes.of_sources(setting)
    watched = sizes.assessed(setting, found, before, night)
    found |= {name: before[name][-1][1] if before.get(name) else 0 for name in setting.databases}
    turn = outlook.turn_of(policy.rotations[setting.name], night)
    asked = _question(setting, policy, turn, seen.stock, known, sum(found.values()), problem)
    rotation = policy.rotations[setting.name]
    steps = tuple(
        (step.asked, step.decision) for step in outlook.steps(asked, seen.drives, seen.stock, policy, rotation)
    )  # fmt: skip
    last_asked, last = steps[-1]
    is_short = not last_asked.is_rest and (last.way is None or last.way.action is Action.SPOOL)
    refused = refusals.notes(last, seen, last_asked, policy, setting.language) if is_short else []
    failure = setting.refused_keys() or _nothing(setting, found, before)
    if failure is not None:
        refused = [sizes.why_failed(setting, failure)]
    warnings = [*([problem] if problem else ()), *sizes.warnings(watched)]
    return Rehearsal(setting.name, night, seen, steps, sum(found.values()), tuple(warnings), tuple(refused), failure)


def _nothing(setting: Setting, found: Mapping[str, int], before: Sizes) -> TapekitError | None:
    """Why there is nothing to save; a database may be there."""
    try:
        if not setting.databases:
            sizes.check(setting.request(None, Sealing()).sources, found, before)
    except TapekitError as error:
        return error
    return None


def _known(setting: Setting) -> tuple[Stock, Sizes, Note | None]:
    """What the catalog tells, without a change to it; and why it does not."""
    try:
        with setting.open_catalog(is_read_only=True) as store:
            found: dict[str, list[tuple[date, int]]] = {}
            for size in store.sizes(setting.name):
                found.setdefault(size.source, []).append((size.night, size.bytes))
            return store.stock(), found, None
    except CatalogMissing:
        return Stock(()), {}, None
    except TapekitError as error:
        return Stock(()), {}, problem_of(error)


def _question(
    setting: Setting, policy: Policy, turn: Turn, stock: Stock, known: Stock, source_bytes: int, problem: Note | None
) -> Night:
    rotation = policy.rotations[setting.name]
    choice = choose(turn, stock, rotation.per_night)
    needed = outlook.needed_bytes(setting.name, stock, source_bytes)
    asked = outlook.question(setting, rotation, choice, needed, (), can_spool=True)
    proven = frozenset(cartridge.label for cartridge in known.cartridges)
    return outlook.doubted(asked, stock, proven, is_stock_known=problem is None)
