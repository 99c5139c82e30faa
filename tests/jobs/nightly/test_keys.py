"""A night with keys: encrypted, proven all the same, and opened by nobody from the site afterwards."""

import base64
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from drivers import image
from formats import block
from formats.publickey import PublicKeyLine
from tapekit import clock
from tapekit.audit import events
from tapekit.audit.log import AuditLog
from tapekit.errors import Exit, KeyNeeded
from tapekit.jobs import restore, status
from tapekit.jobs.nightly.night import night
from tapekit.keys import proof, ring
from tapekit.keys.opener import NO_KEY, InHand, Opener
from tapekit.keys.pair import Pair
from tapekit.keys.slot import PrivateKey
from tapekit.model import Rung
from tapekit.progress import Silent
from tapekit.report.night import Outcome
from tests.jobs.nightly.site import Site

OWNER = Pair.new("owner", "Marie")
TECHNICIAN = Pair.new("technician", "Paul")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Its source has a name and a content that can be searched for."""
    site = Site(tmp_path)
    (site.source / "patients of today").write_bytes(b"name and illness\n" * 1000)
    site.put_in("MON-1")
    return site


def with_key(site: Site, *lines: PublicKeyLine) -> Site:
    for line in lines:
        ring.add(site.root / "keys", line)
    return site


def restored(site: Site, opener: Opener, to: Path) -> list[bytes]:
    drive = image.open_drive(str(site.cartridge("MON-1")), writable=False)
    try:
        restore.run(drive, restore.Request(str(to), opener=opener), Silent())
    finally:
        drive.close()
    return [path.read_bytes() for path in to.rglob("patients*")]


def test_encrypted_and_proven(site: Site, tmp_path: Path) -> None:
    site.options["sample_restore"] = 1
    report = with_key(site, OWNER.public_line).run()
    assert report.outcome is Outcome.CLEAN, (report.problems, report.warnings)
    assert not report.is_readable_by_anyone
    assert {Rung.READ_BACK, Rung.COMPARED, Rung.SAMPLE_RESTORED} <= set(report.rungs)
    content = site.cartridge("MON-1").read_bytes()
    assert b"illness" not in content
    assert b"patients of" not in content
    assert restored(site, InHand(PrivateKey(OWNER)), tmp_path / "to") == [b"name and illness\n" * 1000]


@pytest.mark.parametrize("put_in", ("MON-1", None), ids=("cartridge", "spool"))
def test_what_is_written_shows_nothing_that_a_technician_must_not_see(site: Site, put_in: str | None) -> None:
    """Content stands in the source alone; names of files in the catalog besides, and on no cartridge."""
    site.options |= {"sample_restore": 1, "compression": "none"}
    site.notifications = {"html": str(site.root / "pages"), "prometheus": str(site.root / "metrics")}
    site.put_in(put_in)
    with_key(site, OWNER.public_line, TECHNICIAN.public_line)
    with clock.running(lambda: site.now):
        night(site.setting(), Silent(), None)
    written = [path for path in site.root.rglob("*") if path.is_file() and site.source not in path.parents]
    assert {"pages", "state"} < {path.relative_to(site.root).parts[0] for path in written}
    content = {path: path.read_bytes() for path in written}
    assert not [path for path, data in content.items() if b"illness" in data]
    media = [path for path in content if path.parent in {site.shelf, site.spool}]
    assert media
    assert not [path for path in media if b"patients of" in content[path]]


def test_nothing_of_the_site_opens_it_afterwards(site: Site, tmp_path: Path) -> None:
    with_key(site, OWNER.public_line).run()
    with pytest.raises(KeyNeeded):
        restored(site, NO_KEY, tmp_path / "to")
    secret = bytes(OWNER.secret.content)
    for path in site.root.rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes()


def test_the_catalog_learns_the_names_of_the_night(site: Site) -> None:
    """They are the site's own, and it has them in clear on its disk anyway."""
    with_key(site, OWNER.public_line).run()
    (cartridge,) = [c for c in site.stock().cartridges if c.name == "MON-1"]
    assert cartridge.copies[0].members == 3
    assert [name for name in site.names() if b"patients" in name]


def test_without_keys_every_report_says_so(site: Site) -> None:
    assert site.run().is_readable_by_anyone
    site.options["encryption"] = "none"
    site.next_day()
    assert not site.run().is_readable_by_anyone, "said outright, and so it is known"


def test_none_means_none(site: Site) -> None:
    with_key(site, OWNER.public_line).options["encryption"] = "none"
    site.run()
    assert b"name and illness" in site.cartridge("MON-1").read_bytes()


def test_a_key_that_cannot_be_used_is_a_problem_of_the_night(site: Site) -> None:
    with_key(site, OWNER.public_line)
    (site.root / "keys" / "safe.pub").write_text("damaged")
    report = site.run()
    assert report.outcome is Outcome.WARNINGS
    assert [note.kind for note in report.problems] == ["key"]
    assert not report.is_readable_by_anyone


def test_keys_none_of_which_gives_data_back_write_nothing(site: Site) -> None:
    """Neither in clear, which nobody asked for, nor so that nobody ever reads it."""
    before = site.cartridge("MON-1").read_bytes()
    report = with_key(site, Pair.new("technician", "Jean").public_line).run()
    assert (report.outcome, report.exit_code) == (Outcome.FAILED, int(Exit.KEY))
    assert site.cartridge("MON-1").read_bytes() == before
    assert not report.is_readable_by_anyone


def test_a_night_in_the_spool_is_encrypted_too(site: Site) -> None:
    with_key(site, OWNER.public_line).put_in(None)
    report = site.run()
    assert report.outcome is Outcome.SPOOLED
    (waiting,) = site.spool.glob("*.tkc")
    assert b"illness" not in waiting.read_bytes()
    site.next_day()
    site.put_in("TUE-1")
    report = site.run()
    assert (report.outcome, report.cartridges[0].name) == (Outcome.CLEAN, "TUE-1"), report.warnings
    assert not list(site.spool.glob("*.tkc"))
    assert b"illness" not in site.cartridge("TUE-1").read_bytes()


def test_status_tells_that_nobody_has_tried_a_key(site: Site) -> None:
    with_key(site, OWNER.public_line)
    made = (site.now - timedelta(days=36)).timestamp()
    os.utime(site.root / "keys" / "Marie.pub", (made, made))
    assert [note.kind for note in status.key_notes(site.setting(), site.now)] == ["key-unproven"]
    with clock.running(lambda: site.now):
        proof.note(site.root / "state", OWNER.public_line.key_id.hex(), "MON-1")
    assert list(status.key_notes(site.setting(), site.now + timedelta(days=35))) == []
    (later,) = status.key_notes(site.setting(), site.now + timedelta(days=36))
    assert later.values["last"].startswith("2026-03-02")
    site.options["encryption"] = "none"
    assert list(status.key_notes(site.setting(), site.now + timedelta(days=99))) == []


def test_with_everything_on_the_server_no_block_opens(site: Site) -> None:
    """Every 32 bytes of every file that a thief finds, raw and as text, are tried as a key on a block of the night."""
    site.options["sample_restore"] = 1
    with events.keeping(lambda: AuditLog(site.root / "state", "test")):
        with_key(site, OWNER.public_line).run()
    image_bytes = site.cartridge("MON-1").read_bytes()
    place = next(
        at.start() for at in re.finditer(b"TKBLOCK1", image_bytes) if image_bytes[at.start() + 8] == block.Kind.DATA
    )
    head = image_bytes[place : place + 64]
    stored = image_bytes[place + 128 : place + 128 + int.from_bytes(head[12:16], "big")]
    nonce = head[32:36] + head[40:48]
    found = b"".join(path.read_bytes() for path in sorted((site.root / "state").rglob("*")) if path.is_file())
    found += b"".join(path.read_bytes() for path in (site.root / "keys").rglob("*.pub"))
    texts = [base64.b64decode(text[: len(text) // 4 * 4]) for text in re.findall(rb"[A-Za-z0-9+/]{43,}", found)]
    texts += [bytes.fromhex(text.decode()) for text in re.findall(rb"(?:[0-9a-f]{2}){32,}", found)]
    windows = {whole[at : at + 32] for whole in (found, *texts) for at in range(len(whole) - 31)}
    assert len(windows) > 10_000
    for key in windows:
        with pytest.raises(InvalidTag):
            AESGCM(key).decrypt(nonce, stored, head)
