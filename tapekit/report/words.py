"""The words of reports in English and French, and how each language writes numbers, sizes, dates and lists."""

import enum
from collections.abc import Iterable, Sequence
from datetime import date

from tapekit.model import Rung
from tapekit.report.night import Nights, Outcome, Step, Verdict
from tapekit.rotation.words import MONTHS, NO_BREAK, WEEKDAYS, unbroken


class Language(enum.StrEnum):
    """What a site reads."""

    ENGLISH = "en"
    FRENCH = "fr"


_PLACE = {Language.ENGLISH: 0, Language.FRENCH: 1}

WORDS: dict[str, tuple[str, str]] = {
    # The line. Saved is said of a copy that was written; the others only of what was proven.
    "saved": ("Saved", "Sauvegarde faite"),
    "saved.read back": ("read back", "relue"),
    "saved.compared": ("compared", "comparée"),
    "saved.sample": ("sample restored", "échantillon restauré"),
    "saved.other": ("read on another drive", "lue sur un autre lecteur"),
    "saved.unproven": ("not read back", "pas relue"),
    "line.clean": ("{claims}.", "{claims}."),
    "line.warnings": ("{claims}, but: {first}.", "{claims}, mais : {first}."),
    "line.warnings.bare": ("{claims}, with warnings.", "{claims}, avec des avertissements."),
    "line.spooled": (
        "On no cartridge yet, only on the server's own disk: {first}.",
        "Pas encore sur une cartouche, seulement sur le disque du serveur : {first}.",
    ),
    "line.spooled.bare": (
        "On no cartridge yet, only on the server's own disk.",
        "Pas encore sur une cartouche, seulement sur le disque du serveur.",
    ),
    "line.rest": (
        "Only the beginning is on {cartridges}, the rest on the server's disk: put {due} in, and the night goes on.",
        "Seul le début est sur {cartridges}, le reste sur le disque du serveur : mettez {due}, et la nuit continue.",
    ),
    "line.parts": (
        "On no cartridge yet, only on the server's own disk: put {due} in, one after the other.",
        "Pas encore sur une cartouche, seulement sur le disque du serveur : mettez {due}, l’une après l’autre.",
    ),
    "line.failed": ("Not saved: {first}.", "Pas de sauvegarde : {first}."),
    "line.failed.bare": ("Not saved.", "Pas de sauvegarde."),
    "line.more": ("{first} (and {count} more)", "{first} (et {count} de plus)"),
    "line.fetched": (
        "{cartridge} is fetched from slot {slot} {when}.",
        "{cartridge} sera prise dans l’emplacement {slot} {when}.",
    ),
    "line.put": ("Put {cartridges} in {when}.", "Mettez {cartridges} {when}."),
    "today": ("today", "aujourd’hui"),
    "tomorrow": ("tomorrow", "demain"),
    "on": ("on {date}", "{date}"),
    "and": ("and", "et"),
    # The evening check.
    "check.ready": ("Ready for the night of {night}: {cartridges}.", "Prêt pour la nuit du {night} : {cartridges}."),
    "check.waiting": (
        "{ready} Nights that wait on the server's own disk, to be written too: {count}.",
        "{ready} Nuits en attente sur le disque du serveur, à écrire aussi : {count}.",
    ),
    "check.closed": ("No night on {night}: {why}.", "Pas de nuit le {night} : {why}."),
    "check.first": ("{what}: {to_do}.", "{what} : {to_do}."),
    "check.more": ("{first} (And {count} more.)", "{first} (Et {count} de plus.)"),
    "check.title": ("{site}: before the night of {night}", "{site} : avant la nuit du {night}"),
    # Outcomes, rungs, steps, verdicts.
    "outcome.clean": ("clean", "réussite"),
    "outcome.warnings": ("with warnings", "avec avertissements"),
    "outcome.spooled": ("on the server only", "sur le serveur seulement"),
    "outcome.failed": ("failed", "échec"),
    "outcome.missed": ("no run", "pas de sauvegarde"),
    "outcome.closed": ("closed", "fermé"),
    "rung.1": ("written", "écrite"),
    "rung.2": ("flushed to the medium", "parvenue au support"),
    "rung.3": ("read back", "relue"),
    "rung.4": ("compared with the source", "comparée à la source"),
    "rung.5": ("sample restored", "échantillon restauré"),
    "rung.6": ("read on another drive", "lue sur un autre lecteur"),
    "step.dump": ("database dump", "export des bases"),
    "step.write": ("write", "écriture"),
    "step.read back": ("read back", "relecture"),
    "step.compare": ("compare", "comparaison"),
    "step.sample restore": ("sample restore", "restauration d’un échantillon"),
    "verdict.new": ("first night", "première nuit"),
    "verdict.steady": ("as usual", "comme d’habitude"),
    "verdict.drop": ("much smaller than usual", "bien plus petit que d’habitude"),
    "verdict.jump": ("much larger than usual", "bien plus grand que d’habitude"),
    "verdict.empty": ("empty", "vide"),
    # Headings and rows.
    "title": ("{site}: night of {night}", "{site} : nuit du {night}"),
    "subject": ("[{mark}] {site}, {job}, {night}: {line}", "[{mark}] {site}, {job}, {night} : {line}"),
    "mark.clean": ("OK", "OK"),
    "mark.warnings": ("WARNING", "ATTENTION"),
    "mark.spooled": ("ON THE SERVER ONLY", "SUR LE SERVEUR SEULEMENT"),
    "mark.check": ("PLEASE DO", "À FAIRE"),
    "mark.failed": ("FAILED", "ÉCHEC"),
    "problems": ("Problems", "Problèmes"),
    "warnings": ("Warnings", "Avertissements"),
    "left_overs": ("Left by a run that was killed", "Laissé par une exécution interrompue"),
    "log": ("{what}: {to_do}", "{what} : {to_do}"),
    "why": ("Why: {text}", "Pourquoi : {text}"),
    "to_do": ("What to do: {text}", "Que faire : {text}"),
    "night": ("The night", "La nuit"),
    "job": ("Job", "Tâche"),
    "host": ("Server", "Serveur"),
    "begun": ("Begun", "Début"),
    "ended": ("Ended", "Fin"),
    "took": ("{clock}, after {duration}", "{clock}, après {duration}"),
    "outcome": ("Outcome", "Résultat"),
    "exit_code": ("exit code {code}", "code de sortie {code}"),
    "archive": ("Archive", "Archive"),
    "cartridge": ("Cartridge", "Cartouche"),
    "cartridges": ("Cartridges", "Cartouches"),
    "evidence": ("Evidence", "Preuve"),
    "evidence.none": ("none", "aucune"),
    "due": ("Due", "Prévue"),
    "spool": ("Kept on the server in", "Gardée sur le serveur dans"),
    "spool.waiting": ("{path} (nights that wait: {count})", "{path} (nuits en attente : {count})"),
    "members": ("Files", "Fichiers"),
    "source": ("Size", "Taille"),
    "stored": ("Size as an archive", "Taille de l’archive"),
    "next": ("Next", "Ensuite"),
    "next.slot": ("{cartridge} (slot {slot})", "{cartridge} (emplacement {slot})"),
    "next.value": ("{cartridges}, {date}", "{cartridges}, {date}"),
    "times": ("Times", "Durées"),
    "throughput": ("Throughput", "Débit"),
    "speed": ("{size}/s", "{size}/s"),
    "stops": (
        "stops of the drive: {count}; the source delivers {source}, the drive needs {needed}",
        "arrêts du lecteur : {count} ; la source donne {source}, il lui faut {needed}",
    ),
    "stops.unmeasured": (
        "stops of the drive: {count}; the drive needs {needed}",
        "arrêts du lecteur : {count} ; il lui faut {needed}",
    ),
    "drive.health": ("What the drives say", "Ce que disent les lecteurs"),
    "drive": ("Drive", "Lecteur"),
    "alerts": ("Warnings", "Avertissements"),
    "alerts.none": ("nothing to report", "rien à signaler"),
    "counters": ("Counters", "Compteurs"),
    "counter": ("{name}: {count}", "{name} : {count}"),
    "sizes": ("Sizes", "Tailles"),
    "size": ("Size", "Taille"),
    "name": ("Name", "Nom"),
    "per_week": ("{size} a week", "{size} par semaine"),
    "growth": ("Growth", "Croissance"),
    "verdict": ("Verdict", "Constat"),
    "room": ("Room", "Place"),
    "room.of": ("{remaining} free of {capacity}", "{remaining} libres sur {capacity}"),
    "loads": ("Loads", "Chargements"),
    "written": ("Written so far", "Total écrit"),
    "errors": ("Errors", "Erreurs"),
    "forecast": ("Forecast", "Prévision"),
    "overwritten": ("Overwritten", "Nuits écrasées"),
    "overwritten.nights": ("on {cartridge}: {nights}", "sur {cartridge} : {nights}"),
    "overwritten.safe": ("copies of all of it remain", "il en reste des copies"),
    "lost": ("lost, the only copy of {nights}", "seule copie, perdue : {nights}"),
    "anyone": (
        "No key is configured: whoever holds the cartridge can read it. Keep it as you keep the server.",
        "Aucune clé n’est configurée : qui détient la cartouche peut la lire. Protégez-la comme le serveur.",
    ),
    "calendar": ("Calendar of nights", "Calendrier des nuits"),
    "trend": ("Size of each source", "Taille de chaque source"),
    "health": ("Cartridge health", "État des cartouches"),
    "health.value": ("loads: {loads}, errors: {errors}", "chargements : {loads}, erreurs : {errors}"),
    "index": ("Reports of {site}", "Rapports de {site}"),
    "latest": ("Latest", "Dernier"),
    "earlier": ("Earlier nights", "Nuits précédentes"),
    "written_by": ("Written by tapekit {version}.", "Produit par tapekit {version}."),
    # Letters in the calendar, legible without colour.
    "letter.1": ("W", "E"),
    "letter.2": ("F", "S"),
    "letter.3": ("R", "R"),
    "letter.4": ("C", "C"),
    "letter.5": ("T", "T"),
    "letter.6": ("D", "L"),
    "letter.spooled": ("S", "D"),
    "letter.failed": ("×", "×"),
    "letter.missed": ("?", "?"),
    "letter.closed": ("–", "–"),
    # Ranges of nights.
    "nights.one": ("{first}", "la nuit du {first}"),
    "nights.range": ("{first} to {last}", "les nuits du {first} au {last}"),
    "nights.job": ("{nights} ({job})", "{nights} ({job})"),
    # Capacity.
    "capacity.now": (
        "a night no longer fits on a cartridge",
        "une nuit ne tient plus sur une cartouche",
    ),
    "capacity.soon": (
        "in {nights} nights, at this growth, a night no longer fits on a cartridge",
        "dans {nights} nuits, à ce rythme, une nuit ne tiendra plus sur une cartouche",
    ),
    "capacity.far": (
        "a night fits on a cartridge for {nights} more nights at this growth",
        "une nuit tient sur une cartouche pendant encore {nights} nuits à ce rythme",
    ),
    "capacity.never": (
        "a night fits on a cartridge, and does not grow",
        "une nuit tient sur une cartouche, et ne grossit pas",
    ),
    "capacity.unknown": ("not enough nights to tell", "pas assez de nuits pour le dire"),
    # Units.
    "B": ("B", "o"),
    "kB": ("kB", "ko"),
    "MB": ("MB", "Mo"),
    "GB": ("GB", "Go"),
    "TB": ("TB", "To"),
    "PB": ("PB", "Po"),
}

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_UNIT_STEP = 1000
_MINUTE_S = 60
_FEW_MINUTES_S = 100 * 60
_SOON_NIGHTS = 60


def printable(text: str) -> str:
    r"""Text with nothing in it that moves a cursor, ends a line, or turns the direction: such letters as \x1b."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


class Words:
    """What one language says."""

    def __init__(self, language: str) -> None:
        """Take a language; raises ValueError where there is none of that name."""
        self.language = Language(language)
        self._is_french = self.language is Language.FRENCH

    def __call__(self, key: str, **values: str) -> str:
        """The words of a key, with the values put in."""
        return self.fill(WORDS[key], values)

    def fill(self, pair: tuple[str, str], values: dict[str, str]) -> str:
        """One of two templates, with the values put in. French punctuation never begins a line."""
        template = pair[_PLACE[self.language]]
        if self._is_french:
            template = unbroken(template)
        return template.format_map(values)

    def outcome(self, outcome: Outcome) -> str:
        """How a night ended."""
        return self(f"outcome.{outcome}")

    def rung(self, rung: Rung) -> str:
        """A rung of the ladder."""
        return self(f"rung.{rung.value}")

    def step(self, step: Step) -> str:
        """A step of a run."""
        return self(f"step.{step}")

    def verdict(self, verdict: Verdict) -> str:
        """What a size says."""
        return self(f"verdict.{verdict}")

    def number(self, value: float, decimals: int = 0) -> str:
        """A number, its thousands apart."""
        text = f"{value:,.{decimals}f}"
        return text.replace(",", NO_BREAK).replace(".", ",") if self._is_french else text

    def size(self, size_bytes: float) -> str:
        """A size in decimal units, as they stand on cartridges."""
        power = 0
        while abs(size_bytes) >= _UNIT_STEP and power < len(_UNITS) - 1:
            size_bytes /= _UNIT_STEP
            power += 1
        return f"{self.number(size_bytes, min(power, 1))}{NO_BREAK}{self(_UNITS[power])}"

    def growth(self, bytes_per_week: float) -> str:
        """A growth per week, with its sign."""
        sign = "+" if bytes_per_week > 0 else ""
        return self("per_week", size=sign + self.size(bytes_per_week))

    def speed(self, bytes_per_second: float) -> str:
        """A throughput."""
        return self("speed", size=self.size(bytes_per_second))

    def duration(self, seconds: float) -> str:
        """A duration: 12 s, 12 min, 3 h 05 min."""
        if seconds < _MINUTE_S:
            return f"{self.number(seconds)}{NO_BREAK}s"
        minutes = round(seconds / _MINUTE_S)
        if seconds < _FEW_MINUTES_S:
            return f"{minutes}{NO_BREAK}min"
        return f"{minutes // 60}{NO_BREAK}h{NO_BREAK}{minutes % 60:02d}{NO_BREAK}min"

    def month(self, number: int) -> str:
        """The name of a month."""
        return MONTHS[self.language][number - 1]

    def weekday(self, number: int) -> str:
        """The name of a day of the week; 0 is Monday."""
        return WEEKDAYS[self.language][number]

    def date(self, day: date, *, with_year: bool = True, with_weekday: bool = False) -> str:
        """A date: 24 November 2026, mardi 24 novembre 2026."""
        number = "1er" if self._is_french and day.day == 1 else str(day.day)
        parts = [number, self.month(day.month)]
        if with_weekday:
            parts.insert(0, self.weekday(day.weekday()))
        if with_year:
            parts.append(f"{day.year:04d}")
        return " ".join(parts)

    def listed(self, parts: Sequence[str]) -> str:
        """A list: A, B and C."""
        if len(parts) < 2:  # noqa: PLR2004 - nothing to join
            return "".join(parts)
        return f"{', '.join(parts[:-1])} {self('and')} {parts[-1]}"

    def clauses(self, parts: Iterable[str]) -> str:
        """One behind the other: a; b."""
        return self.fill(("; ", " ; "), {}).join(part for part in parts if part)

    def nights(self, ranges: Sequence[Nights]) -> str:
        """Ranges of nights: 3 to 9 March 2026 (nightly)."""
        by_job: dict[str, list[str]] = {}
        for nights in ranges:
            by_job.setdefault(nights.job, []).append(self._range(nights))
        return self.listed(
            [self("nights.job", nights=self.listed(texts), job=printable(job)) for job, texts in by_job.items()]
        )

    def forecast(self, nights_left: int | None, *, is_known: bool = True) -> str:
        """When a night no longer fits on a cartridge; None is never."""
        if not is_known:
            return self("capacity.unknown")
        if nights_left is None:
            return self("capacity.never")
        if nights_left <= 0:
            return self("capacity.now")
        return self("capacity.soon" if nights_left < _SOON_NIGHTS else "capacity.far", nights=self.number(nights_left))

    def _range(self, nights: Nights) -> str:
        last = self.date(nights.last)
        if nights.first == nights.last:
            return self("nights.one", first=last)
        is_one_year = nights.first.year == nights.last.year
        is_one_month = is_one_year and nights.first.month == nights.last.month
        first = self.date(nights.first, with_year=not is_one_year)
        return self("nights.range", first=first.split()[0] if is_one_month else first, last=last)
