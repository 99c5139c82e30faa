"""The audit log on paper, for the yearly audit: what happened, who did it, and whether the log is whole."""

import dataclasses
import io
from collections import Counter
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from reportlab.lib import colors  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4, landscape  # type: ignore[import-untyped]
from reportlab.lib.styles import ParagraphStyle  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]
from reportlab.platypus import LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle  # type: ignore[import-untyped]

from formats.audit import AuditLine
from tapekit.report.words import Words, printable

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Audit log of the backups", "Journal d’audit des sauvegardes"),
    "all": ("all events", "tous les événements"),
    "year": ("year {year}", "année {year}"),
    "whole": (
        "Checked: every event is signed by this site and follows the one before.",
        "Vérifié : chaque événement est signé par ce site et suit le précédent.",
    ),
    "changed": (
        "NOT AS IT WAS WRITTEN: the check found {count} faults; tapekit audit verify names them.",
        "PAS TEL QU’IL A ÉTÉ ÉCRIT : la vérification a trouvé {count} défauts ; tapekit audit verify les nomme.",
    ),
    "head": ("Latest event: {sequence}, SHA-256 {digest}", "Dernier événement : {sequence}, SHA-256 {digest}"),
    "counts": ("Events: {counts}", "Événements : {counts}"),
    "none": ("no events", "aucun événement"),
    "number": ("No.", "N°"),
    "time": ("Time (UTC)", "Heure (UTC)"),
    "event": ("What", "Quoi"),
    "who": ("Who", "Qui"),
    "about": ("About", "Objet"),
    "result": ("Result", "Résultat"),
    "page": ("page {page}", "page {page}"),
    "labelled": ("labelled", "étiquetée"),
    "destroyed": ("destroyed", "détruit"),
    "wrote": ("wrote", "écrit"),
    "copied": ("copied", "copié"),
    "verified": ("verified", "vérifié"),
    "restored": ("restored", "restauré"),
    "exported": ("exported", "exporté"),
    "retired": ("retired", "retirée"),
    "good": ("good", "bon"),
    "damaged": ("damaged", "abîmé"),
    "complete": ("complete", "complet"),
    "aborted": ("aborted", "interrompu"),
    "incomplete": ("incomplete", "incomplet"),
    "key made": ("key made", "clé créée"),
    "key added": ("key added", "clé ajoutée"),
    "key removed": ("key removed", "clé retirée"),
    "key replaced": ("key replaced", "clé remplacée"),
    "key tested": ("key tested", "clé essayée"),
}
COLUMNS = ("number", "time", "event", "who", "about", "result")
_WIDTHS = tuple(width * mm for width in (13, 38, 26, 40, 100, 52))
_MARGIN = 14 * mm
_BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=8, leading=10)
_TEXT = ParagraphStyle("text", fontName="Helvetica", fontSize=10, leading=13)
_TITLE = ParagraphStyle("title", fontName="Helvetica-Bold", fontSize=18, leading=24)


@dataclasses.dataclass(frozen=True)
class Cover:
    """What stands above the events."""

    site: str
    year: int | None
    faults: int
    """What the check of the whole log found."""
    digest: str
    """Of the latest event shown."""
    language: str = "en"


def audit_pdf(events: Sequence[AuditLine], cover: Cover) -> bytes:
    """A table of the events on A4."""
    words = Words(cover.language)

    def say(key: str, **values: str) -> str:
        return words.fill(TEXTS[key], values) if key in TEXTS else key

    def number_page(canvas: Canvas, document: SimpleDocTemplate) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawRightString(landscape(A4)[0] - _MARGIN, 8 * mm, say("page", page=str(document.page)))

    span = say("year", year=str(cover.year)) if cover.year else say("all")
    counts = Counter(event.event for event in events)
    told = ", ".join(f"{say(kind)} {words.number(count)}" for kind, count in sorted(counts.items()))
    story = [
        _paragraph(say("title"), _TITLE),
        _paragraph(f"{printable(cover.site or '–')} – {span}", _TEXT),
        _paragraph(say("changed", count=str(cover.faults)) if cover.faults else say("whole"), _TEXT),
        _paragraph(say("counts", counts=told or say("none")), _TEXT),
    ]
    if events:
        story.append(_paragraph(say("head", sequence=str(events[-1].sequence), digest=cover.digest), _TEXT))
        story += [Spacer(1, 4 * mm), _table(events, say)]
    target = io.BytesIO()
    document = SimpleDocTemplate(
        target, pagesize=landscape(A4), leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN,
        bottomMargin=_MARGIN, title=say("title"), invariant=1,
    )  # fmt: skip
    document.build(story, onFirstPage=number_page, onLaterPages=number_page)
    return target.getvalue()


def _table(events: Sequence[AuditLine], say: Callable[[str], str]) -> LongTable:
    rows = [[_paragraph(say(column), _BODY) for column in COLUMNS]]
    for event in events:
        about = " · ".join(filter(None, (event.cartridge, event.job, event.archive[:8], event.subject)))
        result = " · ".join(filter(None, (say(event.result), event.note)))
        at = event.at.replace("T", " ").rstrip("Z")
        data = map(printable, (f"{event.who} @ {event.host}", about, result))
        rows.append([_paragraph(cell, _BODY) for cell in (str(event.sequence), at, say(event.event), *data)])
    table = LongTable(rows, colWidths=_WIDTHS, repeatRows=1)
    table.setStyle(
        TableStyle([
            ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.grey), ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke),
            ("VALIGN", (0, 0), (-1, -1), "TOP"), ("TOPPADDING", (0, 0), (-1, -1), 1.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
        ])
    )  # fmt: skip
    return table


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(text.encode("cp1252", "replace").decode("cp1252")), style)
