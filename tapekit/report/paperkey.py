"""A paper key: the private half as words and as a QR code, with what to do on the day of need; as PDF and as text.

It is read by a person who may never have heard of tapekit, years later, on a bad day.
"""

import dataclasses
import io
import textwrap
from datetime import date

from reportlab.graphics import renderPDF  # type: ignore[import-untyped]
from reportlab.graphics.barcode.qr import QrCodeWidget  # type: ignore[import-untyped]
from reportlab.graphics.shapes import Drawing  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.lib.utils import simpleSplit  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from formats import paper
from formats.paper import PaperKey
from tapekit.report.words import Words

QR_MAGIC = "TAPEKIT-PAPER-1"
QUIET_MODULES = 4
"""White beside a QR code (ISO/IEC 18004)."""
_PAGE_WIDTH, _PAGE_HEIGHT = A4
_MARGIN = 20 * mm
_WIDTH = _PAGE_WIDTH - 2 * _MARGIN
_QR_SIZE = 48 * mm
_TEXT_WIDTH = 78

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Paper key of a backup", "Clé papier d’une sauvegarde"),
    "owner": (
        "owner: opens everything, the names of the files and what is in them",
        "propriétaire : ouvre tout, les noms des fichiers et leur contenu",
    ),
    "recovery": (
        "recovery: opens everything, the names of the files and what is in them",
        "secours : ouvre tout, les noms des fichiers et leur contenu",
    ),
    "technician": (
        "technician: opens the list of the files, and nothing of what is in them",
        "technicien : ouvre la liste des fichiers, et rien de leur contenu",
    ),
    "site": ("Site", "Site"),
    "name": ("Key of", "Clé de"),
    "role": ("Role", "Rôle"),
    "made": ("Made on", "Créée le"),
    "id": ("Number of the key", "Numéro de la clé"),
    "keep": (
        ("Whoever has this sheet and a cartridge can read what the key opens. Keep it in a safe place, away from the "
        "cartridges and from the server. Do not photograph it, do not send it. Nobody can make it again: where every "
        "key is lost, so is every backup."),
        ("Qui possède cette feuille et une cartouche peut lire ce que la clé ouvre. Gardez-la en lieu sûr, loin des "
        "cartouches et du serveur. Ne la photographiez pas, ne l’envoyez pas. Personne ne peut la refaire : si toutes "
        "les clés sont perdues, toutes les sauvegardes le sont aussi."),
    ),
    "words": ("The key: seven lines of three words", "La clé : sept lignes de trois mots"),
    "qr": ("The same, for a camera", "La même, pour un appareil photo"),
    "letters": (
        ("Each word is five letters: b d f g h j k l m n p r s t v z, with a i o u between them; never an e, and o is "
        "a letter, not a zero. Capitals do not matter. Where a word is read or typed wrongly, the program says which."),
        ("Chaque mot a cinq lettres : b d f g h j k l m n p r s t v z, et entre elles a i o u ; jamais de e, et o est "
        "une lettre, pas un zéro. Les majuscules ne comptent pas. Si un mot est mal lu ou mal tapé, le programme dit "
        "lequel."),
    ),
    "need": ("On the day of need", "Le jour où vous en avez besoin"),
    "need.1": (
        "Take any computer with Linux, and connect the cartridge. Move its write-protect switch first, if it has one.",
        "Prenez un ordinateur sous Linux, et branchez la cartouche, verrou d’écriture fermé s’il y en a un.",
    ),
    "need.2": (
        "With tapekit installed (as root; lsblk says which /dev/sdX the cartridge is):",
        "Si tapekit est installé (en root ; lsblk dit quel /dev/sdX est la cartouche) :",
    ),
    "need.3": (
        ("Without tapekit: the cartridge has a small volume that any computer opens. README.txt in it says what to do, "
        "rescue.py does it; it needs Python 3 and its package cryptography (version 48 or later):"),
        ("Sans tapekit : la cartouche a un petit volume que tout ordinateur ouvre. README.txt y dit que faire, "
        "rescue.py le fait ; il lui faut Python 3 et son paquet cryptography (version 48 ou plus) :"),
    ),
    "need.4": (
        "Both ask for the seven lines above, and then show the files, or put them into the directory restored.",
        ("Les deux demandent les sept lignes ci-dessus, puis montrent les fichiers, ou les mettent dans le répertoire "
        "restored."),
    ),
    "tested": (
        "Tested on (once a month, with a cartridge in the drive):",
        "Essayée le (une fois par mois, cartouche en place) :",
    ),
}  # fmt: skip
_RESTORE = {
    "need.2": ("tapekit restore disk:/dev/sdX --to restored --key paper",),
    "need.3": ("pip install cryptography", "python3 rescue.py restore /dev/sdX --to restored --key paper"),
}
_LIST = {
    "need.2": ("tapekit list disk:/dev/sdX --key paper",),
    "need.3": ("pip install cryptography", "python3 rescue.py files /dev/sdX --key paper"),
}
COMMANDS = {"owner": _RESTORE, "recovery": _RESTORE, "technician": _LIST}
STEPS = ("need.1", "need.2", "need.3", "need.4")
TEST = "tapekit keys test disk:/dev/sdX --key paper"


@dataclasses.dataclass(frozen=True)
class Sheet:
    """What stands on the sheet beside the words."""

    site: str
    name: str
    key_id: str
    """In groups, as `keys list` shows it."""
    made: date
    language: str = "en"


def qr_text(key: PaperKey) -> str:
    """What the QR code holds: the words in capitals, which a QR code stores in the least room."""
    return f"{QR_MAGIC} {' '.join(paper.build(key))}".upper()


def text_sheet(key: PaperKey, sheet: Sheet) -> str:
    """The sheet as plain text; its QR code of half blocks is read from paper or a light screen."""
    say = _say(sheet)
    parts = [say("title").upper(), "", *_fact_lines(key, sheet), ""]
    parts += [*_wrapped(say("keep")), "", say("words").upper(), ""]
    parts += [f"    {number}   {'   '.join(words)}" for number, words in enumerate(_lines(key), 1)]
    parts += ["", *_wrapped(say("letters")), "", say("need").upper(), ""]
    for step in STEPS:
        parts += _wrapped(f"{step[-1]}. {say(step)}", "   ")
        parts += [f"       {command}" for command in COMMANDS[key.role].get(step, ())]
    parts += ["", *_wrapped(say("tested")), f"       {TEST}", "", say("qr").upper(), "", *_qr_lines(key), ""]
    return "\n".join(parts)


def pdf_sheet(key: PaperKey, sheet: Sheet) -> bytes:
    """The sheet as one page of A4."""
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=A4, invariant=True)
    say = _say(sheet)
    canvas.setTitle(say("title"))
    page = _Page(canvas)
    page.text(say("title"), "Helvetica-Bold", 22, below=10)
    for head, value in _facts(key, sheet):
        page.pair(head, value)
    page.space(6)
    page.text(say("keep"), "Helvetica-Bold", 10.5, below=12)
    page.text(say("words"), "Helvetica-Bold", 13, below=6)
    page.words(key, say("qr"))
    page.text(say("letters"), "Helvetica", 9, below=12)
    page.text(say("need"), "Helvetica-Bold", 13, below=6)
    for step in STEPS:
        page.text(f"{step[-1]}.  {say(step)}", "Helvetica", 10, below=4)
        for command in COMMANDS[key.role].get(step, ()):
            page.text(command, "Courier-Bold", 9.5, below=4, indent=18)
    page.space(8)
    page.text(say("tested"), "Helvetica", 10, below=2)
    page.text(TEST, "Courier-Bold", 9.5, below=16, indent=18)
    page.rules()
    canvas.save()
    return target.getvalue()


class _Page:
    """Writes from top to bottom."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._top = _PAGE_HEIGHT - _MARGIN

    def text(self, text: str, font: str, size: float, *, below: float, indent: float = 0) -> None:
        for line in simpleSplit(_printable(text), font, size, _WIDTH - indent):
            self._top -= size * 1.25
            self._canvas.setFont(font, size)
            self._canvas.drawString(_MARGIN + indent, self._top, line)
        self._top -= below

    def pair(self, head: str, value: str) -> None:
        lines = simpleSplit(_printable(value), "Helvetica", 11, _WIDTH - 110) or [""]
        for number, line in enumerate(lines):
            self._top -= 14.5
            self._canvas.setFont("Helvetica", 11)
            self._canvas.drawString(_MARGIN, self._top, "" if number else head)
            self._canvas.drawString(_MARGIN + 110, self._top, line)

    def space(self, height: float) -> None:
        self._top -= height

    def words(self, key: PaperKey, below_qr: str) -> None:
        """The words in a frame, the QR code beside it."""
        step, top = 20.5, self._top
        for number, words in enumerate(_lines(key), 1):
            baseline = top - number * step
            self._canvas.setFont("Helvetica", 10)
            self._canvas.drawString(_MARGIN + 8, baseline, str(number))
            self._canvas.setFont("Courier-Bold", 17)
            for place, word in enumerate(words):
                self._canvas.drawString(_MARGIN + 34 + place * 92, baseline, word)
        self._canvas.rect(_MARGIN, top - 7 * step - 9, _WIDTH - _QR_SIZE - 12, 7 * step + 7)
        _draw_qr(self._canvas, key, _MARGIN + _WIDTH - _QR_SIZE, top - _QR_SIZE)
        self._canvas.setFont("Helvetica", 8)
        self._canvas.drawCentredString(_MARGIN + _WIDTH - _QR_SIZE / 2, top - _QR_SIZE - 8, _printable(below_qr))
        self._top = top - 7 * step - 16

    def rules(self) -> None:
        """Lines for dates, as far as there is room."""
        for number in range(4):
            left = _MARGIN + number * (_WIDTH + 10) / 4
            self._canvas.line(left, self._top, left + _WIDTH / 4 - 10, self._top)


def _say(sheet: Sheet) -> "_Say":
    return _Say(Words(sheet.language))


@dataclasses.dataclass(frozen=True)
class _Say:
    words: Words

    def __call__(self, key: str) -> str:
        return self.words.fill(TEXTS[key], {})


def _facts(key: PaperKey, sheet: Sheet) -> list[tuple[str, str]]:
    say, words = _say(sheet), Words(sheet.language)
    return [
        (say("site"), sheet.site or "–"), (say("name"), sheet.name), (say("role"), say(key.role)),
        (say("made"), words.date(sheet.made)), (say("id"), sheet.key_id),
    ]  # fmt: skip


def _fact_lines(key: PaperKey, sheet: Sheet) -> list[str]:
    width = 22
    return [
        line
        for head, value in _facts(key, sheet)
        for line in textwrap.wrap(f"{head:{width}}{value}", _TEXT_WIDTH, subsequent_indent=" " * width)
    ]


def _lines(key: PaperKey) -> list[list[str]]:
    words = paper.build(key)
    return [words[at : at + paper.WORDS_PER_LINE] for at in range(0, len(words), paper.WORDS_PER_LINE)]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _TEXT_WIDTH, subsequent_indent=indent)


def _printable(text: str) -> str:
    """What the fonts that every PDF reader has can show."""
    return text.encode("cp1252", "replace").decode("cp1252")


def _draw_qr(canvas: Canvas, key: PaperKey, left: float, bottom: float) -> None:
    widget = QrCodeWidget(qr_text(key), barLevel="Q", barWidth=_QR_SIZE, barHeight=_QR_SIZE, barBorder=QUIET_MODULES)
    drawing = Drawing(_QR_SIZE, _QR_SIZE)
    drawing.add(widget)
    renderPDF.draw(drawing, canvas, left, bottom)


def _qr_lines(key: PaperKey) -> list[str]:
    """The QR code in letters, two rows of it in each."""
    code = QrCodeWidget(qr_text(key), barLevel="L").qr
    code.make()
    size = code.getModuleCount()

    def dark(row: int, column: int) -> bool:
        return 0 <= row < size and 0 <= column < size and bool(code.isDark(row, column))

    span = range(-QUIET_MODULES, size + QUIET_MODULES)
    half = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    return ["".join(half[dark(row, column), dark(row + 1, column)] for column in span).rstrip() for row in span[::2]]
