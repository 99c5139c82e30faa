"""A scan is taken whole or refused: lost beginnings, lost ends and noise never become another label."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import barcode
from formats.barcode import Framer, Framing, Kind, LtoLabel, Scan, code_39_check, parse_lto
from formats.errors import Damaged

TAILS = (b"\r", b"\n", b"\r\n", b"\x03", b"\x04")


def scans(*sent: tuple[bytes, float], **framing: object) -> list[Scan]:
    framer = Framer(Framing(**framing))  # type: ignore[arg-type]
    return [scan for data, at in sent for scan in framer.feed(data, at)] + framer.close()


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("head", (b"", b"\x02", b"]A0", b"\x02]A0", b"\x02]C1"))
def test_every_tail_and_head(head: bytes, tail: bytes) -> None:
    sent = (head + b"TAP001L6" + tail) * 2
    assert scans((sent, 0)) == [Scan("TAP001L6")] * 2


@pytest.mark.parametrize("cut", range(1, 10))
def test_a_scan_that_comes_in_parts_is_one(cut: int) -> None:
    sent = b"TAP001L6\r\n"
    assert scans((sent[:cut], 0), (sent[cut:], 0.2)) == [Scan("TAP001L6")]


def test_a_pause_in_the_middle_spoils_the_scan_up_to_its_tail_and_no_other() -> None:
    """Two halves of two labels would otherwise be a third one."""
    found = scans((b"TAP0", 0), (b"02L6\r", 5), (b"TAP003L6\r", 6))
    assert [(scan.text, scan.refused) for scan in found] == [
        ("TAP002L6", "cut off: a pause in the middle"), ("TAP003L6", ""),
    ]  # fmt: skip


def test_stx_begins_anew() -> None:
    found = scans((b"TAP0\x02TAP002L6\x03", 0))
    assert [bool(scan.refused) for scan in found] == [True, False]
    assert found[1].text == "TAP002L6"


def test_no_end_is_no_scan() -> None:
    (found,) = scans((b"TAP001L6", 0))
    assert found.refused == "cut off: it has no end"


def test_without_tails_a_pause_ends_a_scan() -> None:
    found = scans((b"TAP001L6", 0), (b"TAP0", 1), (b"02L6", 1.1), ends_by_pause=True)
    assert found == [Scan("TAP001L6"), Scan("TAP002L6")]
    framer = Framer(Framing(ends_by_pause=True))
    assert framer.feed(b"TAP001L6", 0) == framer.wait(0.3) == []
    assert framer.wait(0.31) == [Scan("TAP001L6")]
    assert framer.wait(9) == []


@pytest.mark.parametrize("noise", (b"\x00", b"\xff", b"\x7f", b"\x1b", b"\xc3\xa9"))
def test_noise_is_refused(noise: bytes) -> None:
    (found,) = scans((b"TAP0" + noise + b"01L6\r", 0))
    assert found.refused == "noise: not all of it are characters"


def test_what_never_ends_is_not_kept() -> None:
    sent = b"A" * 1_000_000 + b"\r"
    (found,) = scans((sent, 0))
    assert len(found.text) == barcode.LONGEST
    assert found.refused.startswith("longer than 128")


def test_a_prefix_shows_a_lost_beginning() -> None:
    found = scans((b"#TAP001L6\rTAP001L6\r]A0#TAP001L6\r", 0), prefix="#")
    assert [bool(scan.refused) for scan in found] == [False, True, False]
    assert {scan.text for scan in found} == {"TAP001L6"}


def test_the_check_character_of_the_standard() -> None:
    """The worked example that is told everywhere: CODE39 has the check character W."""
    assert code_39_check("CODE39") == "W"
    assert scans((b"CODE39W\r", 0), has_check=True) == [Scan("CODE39")]


@given(st.text(barcode.CODE_39.replace(" ", ""), min_size=1, max_size=12), st.data())
def test_the_check_character_finds_every_letter_that_was_changed(text: str, data: st.DataObject) -> None:
    whole = text + code_39_check(text)
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.sampled_from(barcode.CODE_39).filter(lambda letter: letter != whole[place]))
    changed = whole[:place] + other + whole[place + 1 :]
    assert scans((changed.encode() + b"\r", 0), has_check=True)[0].refused


@pytest.mark.parametrize(
    ("text", "label"),
    (
        ("TAP001L6", LtoLabel("TAP001", "L6", Kind.DATA, 6)),
        ("000001LA", LtoLabel("000001", "LA", Kind.DATA, 10)),
        ("TAP001PA", LtoLabel("TAP001", "PA", Kind.DATA, 10)),
        ("TAP001M8", LtoLabel("TAP001", "M8", Kind.DATA, 8)),
        ("TAP001LT", LtoLabel("TAP001", "LT", Kind.WORM, 3)),
        ("TAP001LZ", LtoLabel("TAP001", "LZ", Kind.WORM, 9)),
        ("CLN001CU", LtoLabel("CLN001", "CU", Kind.CLEANING, None)),
        ("CLN001L5", LtoLabel("CLN001", "L5", Kind.CLEANING, 5)),
    ),
)  # fmt: skip
def test_lto_labels(text: str, label: LtoLabel) -> None:
    assert parse_lto(text) == label
    assert str(label) == text


@pytest.mark.parametrize(
    ("text", "why"),
    (
        ("AP001L6", "7 characters"), ("TAP001L", "7 characters"), ("TAP001L6TAP002L6", "16 characters"), ("", "0 char"),
        ("tap001l6", "caps lock"), ("TAP-01L6", "capital letters and digits"), ("TAP001L0", "no media id L0"),
        ("TAP001CU", "no media id CU"), ("TAP001XX", "no media id XX"),
    ),
)  # fmt: skip
def test_what_is_no_lto_label(text: str, why: str) -> None:
    with pytest.raises(Damaged, match=why):
        parse_lto(text)


@given(st.binary(max_size=300), st.lists(st.floats(0, 1), max_size=4))
def test_anything_may_come(data: bytes, pauses: list[float]) -> None:
    """No bytes raise anything, and what counts is printable."""
    at, sent = 0.0, []
    for pause in [0.0, *pauses]:
        at += pause
        sent.append((data, at))
    assert all(scan.text.isprintable() and scan.text for scan in scans(*sent) if not scan.refused)
