"""What verifications say together of archives that go over several cartridges: which parts nobody showed."""

import dataclasses
from collections.abc import Iterator, Sequence

from formats.segment import CONTINUED, INCOMPLETE
from tapekit.jobs.verify import Result
from tapekit.jobs.verify_segment import SegmentResult
from tapekit.model import SPOOL


@dataclasses.dataclass(frozen=True)
class MissingPart:
    """A part that was not there to be verified: no damage, but nothing is known of it."""

    archive: str
    part: int
    """The first is 0."""
    cartridge: str
    """Its name, where another part tells it."""

    @property
    def words(self) -> str:
        """As people read it."""
        name = f" (cartridge {self.cartridge})" if self.cartridge else ""
        return f"part {self.part + 1} of archive {self.archive[:8]}{name} is not there"


def missing(results: Sequence[Result]) -> list[MissingPart]:
    """The parts that others name, and that none of the cartridges holds; the one behind the last may have more."""
    return [part for found in _by_archive(results).values() for part in _missing(found)]


def settle_torn(results: Sequence[Result]) -> None:
    """A part that was never closed is as its medium left it, where a later part says so: that is no damage."""
    for found in _by_archive(results).values():
        known = max(found, key=lambda one: len(one.before)).before
        for one in found:
            if one.state == INCOMPLETE and one.part < len(known):
                one.is_torn = known[one.part].trailer_sha256 is None


def _by_archive(results: Sequence[Result]) -> dict[str, list[SegmentResult]]:
    found: dict[str, list[SegmentResult]] = {}
    for result in results:
        for segment in result.segments:
            if segment.archive:
                found.setdefault(segment.archive, []).append(segment)
    return found


def _missing(found: Sequence[SegmentResult]) -> Iterator[MissingPart]:
    there = {one.part for one in found}
    last = max(found, key=lambda one: one.part)
    for number, before in enumerate(last.before):
        if number not in there:
            yield MissingPart(last.archive, number, "" if before.name == SPOOL else before.name)
    if last.state == CONTINUED:
        yield MissingPart(last.archive, last.part + 1, "")
