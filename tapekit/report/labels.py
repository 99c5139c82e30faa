"""Sheets of cartridge labels as PDF: the name in large letters, its pool, and the name as a Code 39 barcode.

Code 39 is what tape libraries and their scanners read (ISO/IEC 16388): capital letters, digits and - . $ / + %.
"""

import io
from collections.abc import Sequence

from reportlab.graphics.barcode.code39 import Standard39  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.pdfbase.pdfmetrics import stringWidth  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from tapekit.errors import UsageError
from tapekit.report.sheets import Label, Sheet

FONT = "Helvetica-Bold"
POOL_FONT = "Helvetica"
ENCODABLE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-. $/+%")
WIDE = 2.5
"""Wide bars to narrow ones; ISO/IEC 16388 allows 2 to 3."""
CHARACTER = 13 + 3 * (WIDE - 2)
"""Width of a character with the gap behind it, in narrow bars: three wide elements, six narrow, one gap."""
QUIET = 10
"""Narrow bars of white beside the code (ISO/IEC 16388)."""
HAIRLINE = 0.1 * mm
THINNEST, WIDEST = 0.17 * mm, 0.5 * mm
"""Narrow bars that office printers still print, and more than which gains nothing."""


def labels_pdf(labels: Sequence[Label], sheet: Sheet, first: int = 1) -> bytes:
    """A PDF with those labels. `first` is the place of the first one, on a sheet of which some are used.

    Raises UsageError where a name has letters that Code 39 has not, or is too long for the label.
    """
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=A4, invariant=True)
    canvas.setTitle("tapekit")
    for place, label in enumerate(labels, first - 1):
        if place % sheet.places == 0 and place > first - 1:
            canvas.showPage()
        row, column = divmod(place % sheet.places, sheet.columns)
        left = (sheet.left + column * sheet.column_step) * mm
        top = A4[1] - (sheet.top + row * sheet.row_step) * mm
        _draw(canvas, label, left, top, sheet)
    canvas.save()
    return target.getvalue()


def _draw(canvas: Canvas, label: Label, left: float, top: float, sheet: Sheet) -> None:
    """Above the name in large letters and the pool beside it, below the barcode; both in the middle."""
    width, height = sheet.width * mm, sheet.height * mm
    if sheet.is_cut:
        canvas.setLineWidth(HAIRLINE)
        canvas.rect(left + HAIRLINE, top - height + HAIRLINE, width - 2 * HAIRLINE, height - 2 * HAIRLINE)
    middle, margin = left + width / 2, 1.5 * mm
    text_height = 0.42 * height
    size = min(text_height, _fitting(label, width - 2 * margin))
    canvas.setFont(FONT, size)
    name_width = stringWidth(label.name, FONT, size)
    pool = f" {label.pool}" if label.pool else ""
    start = middle - (name_width + stringWidth(pool, POOL_FONT, size / 3)) / 2
    baseline = top - margin - 0.75 * text_height
    canvas.drawString(start, baseline, label.name)
    canvas.setFont(POOL_FONT, size / 3)
    canvas.drawString(start + name_width, baseline, pool)
    narrow = bar_width(label.name, width)
    code = Standard39(
        label.name, barWidth=narrow, ratio=WIDE, barHeight=height - text_height - 2.5 * margin, checksum=0, quiet=0
    )
    code.drawOn(canvas, middle - code.width / 2, top - height + margin)


def _fitting(label: Label, width: float) -> float:
    """The size of letters with which name and pool fill a width."""
    pool = f" {label.pool}" if label.pool else ""
    return float(width / (stringWidth(label.name, FONT, 1) + stringWidth(pool, POOL_FONT, 1) / 3))


def bar_width(name: str, width: float) -> float:
    """The narrow bar with which a name fills a width, quiet zones and all. Raises UsageError."""
    unknown = sorted(set(name) - ENCODABLE)
    if unknown:
        raise UsageError(
            f"labels: {name}: {' '.join(unknown)}: not in Code 39",
            "name cartridges with capital letters A to Z, digits and - . $ / + %",
        )
    narrow = min(width / ((len(name) + 2) * CHARACTER + 2 * QUIET), WIDEST)
    if narrow < THINNEST:
        raise UsageError(f"labels: {name}: too long for a barcode of {width / mm:.0f} mm", "choose larger labels")
    return float(narrow)
