"""A paper key is read by people and by cameras, in both languages, and stands on one page."""

import datetime

import pypdfium2  # type: ignore[import-untyped]
import pytest
import zxingcpp
from PIL import Image

from formats import paper
from formats.paper import PaperKey
from formats.publickey import ROLES
from tapekit.report.paperkey import TEXTS, Sheet, pdf_sheet, qr_text, text_sheet

KEY = PaperKey("owner", bytes(range(32)))
WORDS = paper.build(KEY)


def sheet(language: str = "en", name: str = "Marie Dupont") -> Sheet:
    return Sheet("Pharmacie de la Gare", name, "3f2a 91c0", datetime.date(2026, 11, 25), language)


def page(pdf: bytes) -> "pypdfium2.PdfPage":
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 1
    return document[0]


def read(picture: Image.Image) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(picture)]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("language", ("en", "fr"))
def test_the_code_is_read_back(language: str, role: str) -> None:
    key = PaperKey(role, KEY.secret)
    picture = page(pdf_sheet(key, sheet(language))).render(scale=150 / 72).to_pil()
    (found,) = read(picture)
    assert found == qr_text(key)
    assert paper.parse(found.split()[1:]) == key


@pytest.mark.parametrize("language", ("en", "fr"))
def test_words_and_instructions_are_there(language: str) -> None:
    text = page(pdf_sheet(KEY, sheet(language))).get_textpage().get_text_range()
    for content in (*WORDS, "Marie Dupont", "Pharmacie de la Gare", "3f2a 91c0", "rescue.py", "--key paper"):
        assert content in text
    assert ("Gardez-la en lieu sûr" if language == "fr" else "Keep it in a safe place") in text


def test_a_technicians_sheet_speaks_of_the_list_only() -> None:
    text = text_sheet(PaperKey("technician", KEY.secret), sheet())
    assert "tapekit list disk:/dev/sdX --key paper" in text
    assert "rescue.py files" in text
    assert "restored" not in text.replace("directory restored", "")


@pytest.mark.parametrize("language", ("en", "fr"))
def test_as_text(language: str) -> None:
    text = text_sheet(KEY, sheet(language))
    lines = [line.split() for line in text.splitlines()]
    for number in range(7):
        assert [str(number + 1), *WORDS[number * 3 : number * 3 + 3]] in lines
    assert max(map(len, text.splitlines())) <= 80


def test_the_code_in_letters_is_read_back() -> None:
    """Drawn as a printer with letters twice as high as wide would."""
    rows = text_sheet(KEY, sheet()).split(TEXTS["qr"][0].upper())[1].strip("\n").splitlines()
    size = 6
    picture = Image.new("L", (60 * size, (2 * len(rows) + 8) * size), 255)
    for row, line in enumerate(rows):
        for column, letter in enumerate(line):
            for half in (0, 1):
                if letter == "█" or letter == "▀▄"[half]:
                    box = (column * size, (2 * row + half) * size, (column + 1) * size, (2 * row + half + 1) * size)
                    picture.paste(0, box)
    assert read(picture) == [qr_text(KEY)]


def test_a_long_name_stays_on_the_page() -> None:
    text = page(pdf_sheet(KEY, sheet(name="Ł" * 64))).get_textpage().get_text_range()
    assert WORDS[-1] in text


def test_the_same_each_time() -> None:
    assert pdf_sheet(KEY, sheet()) == pdf_sheet(KEY, sheet())
