"""What drives say of themselves and of cartridges, in English and French: TapeAlert flags and counters."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from drivers.scsi import alerts
from drivers.scsi.alerts import BY_FLAG, Severity
from tapekit.report.night import DriveHealth, Note
from tapekit.report.words import Language, Words, printable

COUNTERS: dict[str, str] = {
    "write errors corrected": "erreurs d’écriture corrigées",
    "write errors not corrected": "erreurs d’écriture non corrigées",
    "read errors corrected": "erreurs de lecture corrigées",
    "read errors not corrected": "erreurs de lecture non corrigées",
    "cleaning wanted": "nettoyage demandé",
    "drive: loads": "lecteur : chargements",
    "drive: cleanings": "lecteur : nettoyages",
    "drive: power-on hours": "lecteur : heures sous tension",
    "drive: motion hours": "lecteur : heures de défilement",
    "drive: metres of tape": "lecteur : mètres de bande",
    "cartridge: mounts": "cartouche : chargements",
    "cartridge: write retries": "cartouche : écritures répétées",
    "cartridge: writes that failed": "cartouche : écritures échouées",
    "cartridge: read retries": "cartouche : lectures répétées",
    "cartridge: reads that failed": "cartouche : lectures échouées",
    "cartridge: MB written in its life": "cartouche : Mo écrits depuis sa mise en service",
    "cartridge: MB read in its life": "cartouche : Mo lus depuis sa mise en service",
    "loads": "chargements",
    "MiB written": "Mio écrits",
    "MiB read": "Mio lus",
}
"""By the names that drivers give them; those of a run alone (blocks read) are not among them."""


class Telling(Protocol):
    """What says how a drive is: as the driver has it, or as a report kept it."""

    @property
    def flags(self) -> "frozenset[int] | tuple[int, ...]":
        """Of TapeAlert."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What it said in sense data."""

    @property
    def counters(self) -> Mapping[str, int]:
        """By the names of COUNTERS; others are not told."""


def warned(health: Telling, words: Words) -> list[str]:
    """What a person should hear of, the worst first; what came as sense data is told as it came."""
    return [*alerts.words(frozenset(health.flags), words.language), *(printable(note) for note in health.notes)]


def said(health: Telling, words: Words) -> str:
    """The same in a line, where there may be nothing."""
    return words.clauses(warned(health, words)) or words("alerts.none")


def counted(health: Telling, words: Words) -> list[str]:
    """Counters that are not zero; how many errors could not be corrected is told in any case."""
    told = [(name, health.counters[name]) for name in COUNTERS if name in health.counters]
    return [
        words("counter", name=_named(name, words), count=words.number(count))
        for name, count in told
        if count or name.endswith("not corrected")
    ]


def kept(drive: str, health: Telling) -> DriveHealth | None:
    """What a report keeps of it; None where the drive tells nothing of itself."""
    counters = {name: count for name, count in health.counters.items() if name in COUNTERS}
    if not (health.flags or health.notes or counters):
        return None
    return DriveHealth(drive, tuple(sorted(health.flags)), health.notes, counters)


def notes(health: DriveHealth) -> Iterator[Note]:
    """Warnings of a night: all that the drive itself takes for more than information."""
    for flag in health.flags:
        if flag not in BY_FLAG or BY_FLAG[flag].severity is not Severity.INFORMATION:
            yield Note("drive-alert", {"drive": health.drive, "alert": str(flag)}, f"TapeAlert {flag}")


def _named(name: str, words: Words) -> str:
    return COUNTERS[name] if words.language is Language.FRENCH else name
