"""A night on a cartridge that its scrubs advise to retire."""

from pathlib import Path

from tapekit.report.night import NightReport, Outcome
from tapekit.report.text import text
from tapekit.scrubs import Scrub, Scrubs
from tests.jobs.nightly.site import Site


def test_a_cartridge_that_is_to_be_retired_is_told(tmp_path: Path) -> None:
    """Of the cartridge of this night, and of the next one; not of any other, nor of one that is to be watched."""
    site = Site(tmp_path)
    for name in ("MON-1", "TUE-1", "WED-1", "THU-1"):
        site.put_in(name)
        assert site.run().outcome is Outcome.CLEAN
        site.next_day()
    labels = {held.name: held.label for held in site.stock().cartridges}
    scrubs = Scrubs(tmp_path / "state")
    for name, corrected, lost in (("MON-1", 50, 0), ("TUE-1", 0, 4), ("WED-1", 4, 0), ("THU-1", 1, 0)):
        scrubs.note(Scrub("2026-03-05", labels[name], name, "rdx", "", 5000, corrected, lost, 1, 1, 0, 0))

    def kinds(name: str, day: int) -> list[str]:
        site.now = site.now.replace(day=day)
        site.put_in(name)
        nights.append(site.run())
        assert nights[-1].outcome is Outcome.WARNINGS
        return [note.kind for note in nights[-1].warnings]

    nights: list[NightReport] = []
    assert (kinds("MON-1", 9), kinds("TUE-1", 10)) == (["scrub-share", "scrub-lost"], ["scrub-lost"])
    assert "TUE-1 is to be retired: its last scrub lost blocks: 4" in text(nights[-1], "en")
    assert "TUE-1 est à retirer\N{NO-BREAK SPACE}: blocs perdus" in text(nights[-1], "fr")
