"""TapeAlert: the 64 flags by which a drive says what is wrong with it or the cartridge (SSC-4, annex A)."""

import dataclasses
import enum


class Severity(enum.Enum):
    """How bad it is: C, W and I of the standard."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFORMATION = "information"


@dataclasses.dataclass(frozen=True)
class Alert:
    """A flag, in English and French."""

    flag: int
    severity: Severity
    english: str
    french: str


_C, _W, _I = Severity.CRITICAL, Severity.WARNING, Severity.INFORMATION

ALERTS = (
    Alert(1, _W, "trouble while reading", "difficultés de lecture"),
    Alert(2, _W, "trouble while writing", "difficultés d’écriture"),
    Alert(3, _W, "an error that could not be corrected", "une erreur non corrigible"),
    Alert(4, _C, "the cartridge can no longer be used safely", "la cartouche n’est plus sûre"),
    Alert(5, _C, "the tape cannot be read: cartridge or drive is damaged",
          "bande illisible : cartouche ou lecteur endommagé"),
    Alert(6, _C, "the tape cannot be written: cartridge or drive is damaged",
          "écriture impossible : cartouche ou lecteur endommagé"),
    Alert(7, _W, "the cartridge is worn out: copy it, and retire it", "cartouche usée : copiez-la et retirez-la"),
    Alert(8, _W, "the cartridge is not of data grade", "la cartouche n’est pas de qualité données"),
    Alert(9, _C, "write-protected", "protégée en écriture"),
    Alert(10, _I, "the cartridge cannot be ejected: the drive is in use", "éjection impossible : lecteur occupé"),
    Alert(11, _I, "a cleaning cartridge is in", "une cartouche de nettoyage est dans le lecteur"),
    Alert(12, _I, "a cartridge of a kind that the drive does not know", "un type de cartouche inconnu du lecteur"),
    Alert(13, _C, "the tape has snapped; it can be taken out", "bande rompue ; la cartouche peut être retirée"),
    Alert(14, _C, "the tape has snapped inside the drive: do not try to eject it",
          "bande rompue dans le lecteur : ne pas éjecter"),
    Alert(15, _W, "the cartridge's chip has failed", "la puce de la cartouche est en panne"),
    Alert(16, _C, "the cartridge was ejected by hand while in use", "cartouche éjectée pendant l’utilisation"),
    Alert(17, _W, "the drive reads this cartridge, and does not write it", "le lecteur ne fait que lire la cartouche"),
    Alert(18, _W, "the tape's directory is damaged: searching takes longer",
          "répertoire de la bande endommagé : recherches plus lentes"),
    Alert(19, _I, "the cartridge nears the end of its life", "la cartouche approche de sa fin de vie"),
    Alert(20, _C, "the drive must be cleaned now", "le lecteur doit être nettoyé maintenant"),
    Alert(21, _W, "the drive is due for cleaning", "nettoyage du lecteur à prévoir"),
    Alert(22, _C, "the cleaning cartridge is used up", "cartouche de nettoyage épuisée"),
    Alert(23, _C, "not a cleaning cartridge that this drive takes", "cartouche de nettoyage non valable"),
    Alert(24, _W, "the tape must be wound anew", "la bande doit être retendue"),
    Alert(26, _W, "a fan has failed", "panne de ventilateur"),
    Alert(27, _W, "a power supply has failed", "panne d’alimentation"),
    Alert(28, _W, "the drive takes more power than it should", "consommation électrique anormale"),
    Alert(29, _W, "the drive is due for maintenance", "entretien du lecteur à prévoir"),
    Alert(30, _C, "a hardware failure: reset the drive", "panne matérielle : réinitialisez le lecteur"),
    Alert(31, _C, "a hardware failure: switch the drive off and on",
          "panne matérielle : éteignez puis rallumez le lecteur"),
    Alert(32, _W, "trouble between computer and drive: look at the cable", "problème de liaison : vérifiez le câble"),
    Alert(33, _C, "the drive asks to eject the cartridge", "le lecteur demande d’éjecter la cartouche"),
    Alert(34, _W, "a firmware download has failed", "échec du téléchargement du microprogramme"),
    Alert(35, _W, "too humid or too dry in the drive", "humidité hors limites dans le lecteur"),
    Alert(36, _W, "too hot or too cold in the drive", "température hors limites dans le lecteur"),
    Alert(37, _W, "the voltage is outside its limits", "tension hors limites"),
    Alert(38, _C, "the drive expects to fail", "le lecteur prévoit une panne"),
    Alert(39, _W, "the drive's own tests report a failure", "les tests internes signalent une panne"),
    Alert(50, _W, "the cartridge's statistics are lost", "statistiques de la cartouche perdues"),
    Alert(51, _W, "the tape's directory was not written at unload", "répertoire non écrit au déchargement"),
    Alert(52, _C, "the tape's system area cannot be written", "zone système de la bande non inscriptible"),
    Alert(53, _C, "the tape's system area cannot be read", "zone système de la bande illisible"),
    Alert(54, _C, "the beginning of the data cannot be found", "début des données introuvable"),
    Alert(55, _C, "the cartridge could not be loaded", "chargement impossible"),
    Alert(56, _C, "the cartridge could not be unloaded", "déchargement impossible"),
    Alert(57, _C, "the connection to the library has failed", "liaison avec le robot en panne"),
    Alert(59, _W, "the record of a write-once cartridge is damaged", "intégrité de la cartouche WORM en défaut"),
    Alert(60, _W, "somebody tried to overwrite a write-once cartridge", "tentative d’écraser une cartouche WORM"),
)  # fmt: skip
BY_FLAG = {alert.flag: alert for alert in ALERTS}


def words(flags: frozenset[int], language: str = "en") -> tuple[str, ...]:
    """The flags as sentences, the worst first; those that the standard leaves open by their number."""
    order = list(Severity)
    known = [BY_FLAG[flag] for flag in sorted(flags & BY_FLAG.keys())]
    known.sort(key=lambda alert: order.index(alert.severity))
    texts = [alert.french if language == "fr" else alert.english for alert in known]
    return (*texts, *(f"TapeAlert {flag}" for flag in sorted(flags - BY_FLAG.keys())))
