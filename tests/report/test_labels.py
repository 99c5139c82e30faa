import pypdfium2  # type: ignore[import-untyped]
import pytest
import zxingcpp
from PIL import Image

from tapekit.errors import UsageError
from tapekit.report.labels import labels_pdf
from tapekit.report.sheets import SHEETS, Label, Sheet
from tapekit.rotation.gfs import GrandfatherFatherSon

NAMES = GrandfatherFatherSon().names
DOTS = 300 / 72
"""Of an office printer, for each point."""


def pages(pdf: bytes) -> list[Image.Image]:
    document = pypdfium2.PdfDocument(pdf)
    return [page.render(scale=DOTS).to_pil().convert("L") for page in document]


def read(picture: Image.Image) -> list[str]:
    return [
        found.text for found in zxingcpp.read_barcodes(picture, formats=zxingcpp.barcode_formats_from_str("Code39"))
    ]


def text(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return "".join(page.get_textpage().get_text_range() for page in document)


@pytest.mark.parametrize(("kind", "sheet"), SHEETS, ids=[name for name, _ in SHEETS])
def test_barcodes_are_read_back(kind: str, sheet: Sheet) -> None:
    names = [name.replace("MONTHLY", "M") for name in NAMES] if kind == "l7651" else list(NAMES)
    pdf = labels_pdf([Label(name, "pool") for name in names], sheet)
    found = [name for page in pages(pdf) for name in read(page)]
    assert sorted(found) == sorted(names)
    assert all(name in text(pdf) for name in names)


@pytest.mark.parametrize(("kind", "sheet"), SHEETS, ids=[name for name, _ in SHEETS])
def test_a_label_stays_within_its_place(kind: str, sheet: Sheet) -> None:
    """Every place of a sheet holds its own barcode, whole, when it is cut out."""
    pdf = labels_pdf([Label(f"R-{place:02}", "daily") for place in range(sheet.places)], sheet)
    (page,) = pages(pdf)
    for place in range(sheet.places):
        row, column = divmod(place, sheet.columns)
        left, top = sheet.left + column * sheet.column_step, sheet.top + row * sheet.row_step
        box = [round(mm / 25.4 * 300) for mm in (left, top, left + sheet.width, top + sheet.height)]
        assert read(page.crop((box[0], box[1], box[2], box[3]))) == [f"R-{place:02}"]
        page.paste(255, (box[0], box[1], box[2], box[3]))
    assert page.getextrema() == (255, 255), "nothing stands outside"


def test_a_sheet_that_is_partly_used() -> None:
    sheet = dict(SHEETS)["l7160"]
    pdf = labels_pdf([Label("A"), Label("B"), Label("C")], sheet, first=sheet.places - 1)
    assert [sorted(read(page)) for page in pages(pdf)] == [["A", "B"], ["C"]]


def test_the_same_labels_are_the_same_file() -> None:
    sheet = dict(SHEETS)["lto"]
    assert labels_pdf([Label("A")], sheet) == labels_pdf([Label("A")], sheet)


def test_names_that_code_39_cannot_hold() -> None:
    with pytest.raises(UsageError, match="é: not in Code 39") as raised:
        labels_pdf([Label("MARé")], dict(SHEETS)["l7160"])
    assert raised.value.hint
    with pytest.raises(UsageError, match="too long for a barcode of 38 mm"):
        labels_pdf([Label("MONTHLY-12-LONG")], dict(SHEETS)["l7651"])
