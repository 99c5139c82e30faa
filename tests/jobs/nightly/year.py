"""Nights of a site whose people err, each checked against what is really on the cartridges before and after it.

The model knows nothing of the rotation's code: it reads every cartridge with the rescue kit's own code, and has its own
almanac of days and pools.
"""

import dataclasses
import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from pathlib import Path

from tapekit.catalog.store import Store
from tapekit.jobs import foresee
from tapekit.model import Place, Rung
from tapekit.report.night import NightReport, Outcome
from tapekit.rotation.forecast import ForecastNight, Use
from tapekit.rotation.loss import Kind
from tests.jobs.nightly import contents
from tests.jobs.nightly.contents import BLANK, Contents, Held
from tests.jobs.nightly.site import Site
from tests.rotation.almanac import BACKWARDS, DAY, model_is_protected, model_open

EVENING = time(20, 30)
STICK = "stick"
"""A medium that holds somebody's photos."""
PARTIAL, COMPLETE, VERIFIED = 1, 2, 3
"""How well a night is kept."""
MOST_GONE = 3
"""Cartridges that are lost or retired in a season."""
AWAY = range(24, 38)
"""Days of the season on which nobody changes the cartridge, and nobody told tapekit."""
SURPRISE, SURPRISE_BYTES = 20, 12 << 20
"""Every so many nights, what compressed well before is larger, and does so no more: it fills the cartridge."""
REMEMBERED = 6
"""Nights after it for which more room than they need is asked for."""
UNUSUAL_BYTES = 20_000


def night_of(held: Held) -> date:
    return date.fromisoformat(held.started[:10])


@dataclasses.dataclass
class Before:
    """What there was before a night."""

    file: str | None
    """In the drive."""
    stamps: dict[str, tuple[int, int]]
    files: dict[str, str]
    """What the source holds."""
    foreseen: ForecastNight
    size_bytes: int
    usual_bytes: int
    """As large was the last night that a cartridge holds: what is foreseen can be no better."""


class Season:
    """The site, its people, and the checks of every night."""

    def __init__(self, site: Site, scheme: str, seed: int) -> None:
        self.site = site
        # The model reads each archive alone: what one takes from an earlier one is tested in test_deltas.py.
        site.options["incremental"] = False
        self.scheme = scheme
        self.chance = random.Random(seed)
        self.cartridges: dict[str, Contents] = {}
        """By the file that it is, those that are lost not among them."""
        self.retired: set[str] = set()
        self.locked: set[str] = set()
        self.spooled: dict[str, Contents] = {}
        self.ledger: dict[str, tuple[date, dict[str, str]]] = {}
        """Every archive that must be there: its night, and the digests of its files."""
        self.verified: set[tuple[str, str]] = set()
        """Label and archive of the copies that were read back."""
        self.divided: dict[str, int] = {}
        """Archives that went over several cartridges, or had their rest in the spool: of how many parts they are."""
        self.sizes: dict[str, int] = {}
        self.file: str | None = None
        self.nights = 0
        self.since_surprise = REMEMBERED + 1
        self.gone = 0
        self.seen: Counter[str] = Counter()
        site.cartridge(STICK).write_bytes(b"PK\x03\x04" + bytes(8 << 20))

    def run(self, first: date, last: date) -> None:
        for number in range((last - first).days + 1):
            day = first + number * DAY
            today = day + BACKWARDS.get(day, 0) * DAY
            self.site.now = datetime.combine(today, EVENING, UTC)
            if model_open(today):
                self.by_day()
                foreseen = self.foreseen(today)
                self.put_in(self.choose(foreseen, is_away=number in AWAY))
                self.night(foreseen)
        self.check_catalog(self.cartridges)

    # --- people -----------------------------------------------------------------------------------------------

    def by_day(self) -> None:
        """The site works; now and then a cartridge is lost, retired, or put in for a restore."""
        self.nights += 1
        self.write_source()
        with self.store() as store:
            for name in self.locked:
                store.unlock(name, self.site.now)
            self.locked.clear()
            luck = self.chance.random()
            known = [file for file in self.in_service() if self.cartridges[file].label]
            if luck < 0.03 and self.gone < MOST_GONE and len(known) > 3:
                place = Place.RETIRED if self.gone % 2 else Place.LOST  # in turn: each year has both
                self.take_away(store, self.chance.choice(known), place)
                self.gone += 1
            elif luck > 0.94 and self.file in known:
                name = self.cartridges[self.file].name
                store.lock(name, self.site.now)
                self.locked.add(name)

    def write_source(self) -> None:
        """Files that grow with the year; the last one compresses, except on a surprise."""
        source = self.site.source
        (source / "file").write_bytes(self.chance.randbytes(400_000 + 30_000 * (self.nights // 20)))
        self.since_surprise = self.since_surprise + 1 if self.nights % SURPRISE else 0
        text = b"night %d of the site\n" % self.nights * 50_000
        (source / "text").write_bytes(text if self.since_surprise else self.chance.randbytes(SURPRISE_BYTES))
        self.site.options["verify"] = "none" if self.chance.random() < 0.1 else "compare"

    def take_away(self, store: Store, file: str, place: Place) -> None:
        store.move(self.cartridges[file].name, place, self.site.now)
        self.seen[place.value] += 1
        if place is Place.RETIRED:
            self.retired.add(file)
        else:
            lost = self.cartridges.pop(file)
            self.site.lose(file)
            self.file = None if self.file == file else self.file
            self.forget(lost)
        self.forget(self.cartridges.get(file, BLANK))

    def choose(self, foreseen: ForecastNight, *, is_away: bool) -> str | None:
        """The file that is put into the drive."""
        luck = self.chance.random()
        if is_away or luck > 0.95:
            return self.file
        if luck > 0.92:
            return None
        if luck > 0.9:
            return STICK
        if luck > 0.82 and self.cartridges:
            return self.chance.choice(list(self.cartridges))
        due = [file for file in self.in_service() if self.cartridges[file].name in foreseen.choice.names[:1]]
        return due[0] if due and luck > 0.02 else f"new-{self.nights}"

    def put_in(self, file: str | None) -> None:
        self.site.put_in(file)
        self.file = file
        if file not in {None, STICK}:
            self.cartridges.setdefault(file or "", BLANK)

    def in_service(self) -> list[str]:
        return [file for file in self.cartridges if file not in self.retired]

    # --- a night ----------------------------------------------------------------------------------------------

    def foreseen(self, today: date) -> ForecastNight:
        """What `tapekit next` says in the evening."""
        with self.store() as store:
            found = foresee.run(self.site.configuration(), store.stock(), "office", today).nights[0]
        assert found.night == today
        return found

    def store(self) -> Store:
        return Store.open(self.site.root / "state" / "catalog.sqlite", "test")

    def night(self, foreseen: ForecastNight) -> None:
        stamps = {path.name: stamp(path) for path in self.site.shelf.iterdir()}
        files = {str(path).lstrip("/"): contents.digest(path) for path in self.site.source.iterdir()}
        size_bytes = sum(path.stat().st_size for path in self.site.source.iterdir())
        before = Before(self.file, stamps, files, foreseen, size_bytes, self.usual_bytes())
        there = self.cartridges.get(self.file or "", BLANK)
        report = self.site.run()
        assert report.outcome is not Outcome.FAILED, report
        self.seen[report.outcome.value] += 1
        self.check_the_others(before)
        after = BLANK
        if self.file in self.cartridges:
            after = self.cartridges[self.file] = contents.read(self.site.cartridge(self.file))
        waiting, self.spooled = self.spooled, self.read_spool()
        self.note_divided(report, files)
        self.note_verified(report, after, waiting)
        if there.label and there.label != after.label:
            self.check_overwritten(there, report, before)
        else:
            assert report.overwritten == (), report
            kept = after.complete()
            assert all(kept.get(archive) == held for archive, held in there.complete().items())
        self.ledger[report.archive] = report.night, files
        self.sizes[report.archive] = size_bytes
        self.check_ledger()
        self.check_outcome(report, there, after)
        self.check_catalog([self.file] if self.file in self.cartridges else [])

    def read_spool(self) -> dict[str, Contents]:
        spool = self.site.spool
        return {path.name: contents.read(path) for path in spool.iterdir()} if spool.exists() else {}

    def note_divided(self, report: NightReport, files: dict[str, str]) -> None:
        """A night whose rest is in the spool comes back from there and from its cartridge together."""
        if any(note.kind in {"rest-spooled", "parts-spooled"} for note in report.warnings):
            of = {**self.cartridges, **self.spooled}
            names = [name for name, there in of.items() if self.parts([there]).get(report.archive)]
            shelf, spool = self.site.shelf, self.site.spool
            held = contents.read_set([shelf / n if n in self.cartridges else spool / n for n in names], report.archive)
            assert held is not None
            assert (held.is_complete, held.files) == (True, files)
            self.divided[report.archive] = len(names)
            self.seen["divided"] += 1

    @staticmethod
    def parts(places: Iterable[Contents]) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for there in places:
            for held in there.archives:
                found.setdefault(held.archive, set()).add(held.part)
        return found

    def whole(self, places: Iterable[Contents]) -> set[str]:
        """The divided archives of which these hold every part."""
        parts = self.parts(places)
        return {archive for archive, count in self.divided.items() if parts.get(archive) == set(range(count))}

    def note_verified(self, report: NightReport, after: Contents, waiting: dict[str, Contents]) -> None:
        """What was read back: the night unless it was not asked for, and what came from the spool."""
        moved = {held.archive for name in waiting.keys() - self.spooled.keys() for held in waiting[name].archives}
        self.verified |= {(after.label, archive) for archive in moved}
        for cartridge in report.cartridges:
            assert cartridge.name == after.name
            assert (Rung.READ_BACK in cartridge.rungs) == (self.site.options["verify"] != "none")
            if Rung.READ_BACK in cartridge.rungs:
                self.verified.add((after.label, report.archive))
        self.seen["unspooled"] += len(moved)

    # --- checks -----------------------------------------------------------------------------------------------

    def check_the_others(self, before: Before) -> None:
        """Nothing but the cartridge in the drive was touched, nor that one where it must not be."""
        changed = {p.name for p in self.site.shelf.iterdir() if stamp(p) != before.stamps[p.name]}
        assert changed <= {before.file}
        name = self.cartridges[before.file].name if before.file in self.cartridges else ""
        if before.file == STICK or before.file in self.retired or name in self.locked:
            assert not changed
            self.seen["not to be written"] += 1

    def check_overwritten(self, there: Contents, report: NightReport, known: Before) -> None:
        """Nothing unexpired, nor the last verified copy; and what vanished is what was told."""
        self.seen["overwritten"] += 1
        others = [self.cartridges[file] for file in self.in_service() if file != self.file]
        for held in (held for held in there.archives if held.is_complete or held.archive in self.divided):
            assert not model_is_protected(self.scheme, night_of(held), there.pool, report.night), held
        if self.has_verified([there]):
            assert self.has_verified(others), "the last verified copy was overwritten"
        if not there.archives:
            assert report.overwritten == ()
            return
        before, after = self.standings([there, *others]), self.standings(others)
        gone = {n for n, how in before.items() if after.get(n, 0) < min(how, COMPLETE)}
        (told,) = report.overwritten
        (nights,) = told.nights
        on_it = [night_of(held) for held in there.archives]
        assert (told.cartridge, nights.first, nights.last) == (there.name, min(on_it), max(on_it))
        said = {span.first + number * DAY for span in told.lost for number in range((span.last - span.first).days + 1)}
        assert gone <= said
        assert not said & (before.keys() - gone)
        assert {night for span in told.lost for night in (span.first, span.last)} <= gone
        self.seen["nights lost"] += len(gone)
        self.check_foreseen(there.name, gone, known)
        self.forget(there)

    def check_foreseen(self, name: str, gone: set[date], known: Before) -> None:
        """In the evening already, `tapekit next` said the same; unless this night is of another size."""
        for cartridge in known.foreseen.cartridges:
            if cartridge.name == name and abs(known.size_bytes - known.usual_bytes) < UNUSUAL_BYTES:
                assert cartridge.use is Use.OVERWRITE
                previewed = cartridge.loss.nights(Kind.COPY) | cartridge.loss.nights(Kind.PARTIAL)
                assert {night for _, night in previewed} == gone
                self.seen["previewed"] += 1

    def usual_bytes(self) -> int:
        held = (held for file in self.in_service() for held in self.cartridges[file].complete().values())
        last = max(held, key=lambda held: held.started, default=None)
        return self.sizes[last.archive] if last else 0

    def standings(self, cartridges: Iterable[Contents]) -> dict[date, int]:
        found: dict[date, int] = {}
        cartridges = list(cartridges)
        whole = self.whole(cartridges)
        labels = {(there.label, held.archive) for there in cartridges for held in there.archives}
        proven = whole - {archive for label, archive in labels - self.verified}
        for cartridge in cartridges:
            for held in cartridge.archives:
                how = COMPLETE if held.is_complete or held.archive in whole else PARTIAL
                is_verified = (cartridge.label, held.archive) in self.verified and held.archive not in self.divided
                how = VERIFIED if is_verified or held.archive in proven else how
                found[night_of(held)] = max(how, found.get(night_of(held), 0))
        return found

    def has_verified(self, cartridges: Iterable[Contents]) -> bool:
        return VERIFIED in self.standings(cartridges).values()

    def forget(self, gone: Contents) -> None:
        """Archives that went with a cartridge, rightly, need not be there any more."""
        available = self.available()
        for archive in {held.archive for held in gone.archives} - available.keys():
            self.ledger.pop(archive, None)

    def available(self) -> dict[str, list[Held]]:
        found: dict[str, list[Held]] = {}
        for there in (*self.cartridges.values(), *self.spooled.values()):
            for archive, held in there.complete().items():
                found.setdefault(archive, []).append(held)
        for archive in self.whole((*self.cartridges.values(), *self.spooled.values())):
            found.setdefault(archive, [])  # which was read when it was written; its parts are as they were
        return found

    def check_ledger(self) -> None:
        """Every archive that must be there gives back what was saved."""
        available = self.available()
        for archive, (night, files) in self.ledger.items():
            assert archive in available, f"the archive of {night} is gone"
            assert all(held.files == files for held in available[archive]), f"the archive of {night} is another one"

    def check_outcome(self, report: NightReport, there: Contents, after: Contents) -> None:
        """The night is where the report says; it is spooled only where there was no way to the cartridge."""
        assert report.waiting <= len(self.spooled)
        is_divided = report.archive in self.divided
        assert all(report.archive in after.complete() or is_divided for _ in report.cartridges)
        if report.outcome is not Outcome.SPOOLED:
            assert report.cartridges
            assert not report.problems
            return
        assert is_divided or report.archive in {one for there in self.spooled.values() for one in there.complete()}
        is_full = is_divided or any(note.kind == "full-cartridge" for note in report.problems)
        if self.file not in self.in_service() or there.name in self.locked or is_full:
            self.seen["full"] += is_full
            return
        today, others = report.night, [self.cartridges[file] for file in self.in_service() if file != self.file]
        is_protected = any(
            model_is_protected(self.scheme, night_of(held), pool, today)
            for held in there.archives for pool in self.pools_of(held.archive)
        )  # fmt: skip
        is_last = self.has_verified([there]) and not self.has_verified(others)
        assert is_protected or is_last or self.since_surprise <= REMEMBERED, report

    def pools_of(self, archive: str) -> set[str]:
        """Where its parts are: each is protected as long as the one that is kept longest."""
        return {
            there.pool for there in self.cartridges.values() if any(held.archive == archive for held in there.archives)
        }  # fmt: skip

    def check_catalog(self, files: Iterable[str | None]) -> None:
        """The catalog has what is on the cartridges, and what was read back, no more and no less."""
        stock = self.site.stock()
        for file in files:
            there = self.cartridges[file or ""]
            if not there.label:
                continue
            known = stock.labelled(there.label)
            assert known is not None, there.name
            assert {copy.archive for copy in known.copies} == {held.archive for held in there.archives}
            proven = {copy.archive for copy in known.copies if copy.is_verified}
            assert proven == {archive for label, archive in self.verified if label == there.label}
            assert (known.place is Place.RETIRED) == (file in self.retired)


def stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
