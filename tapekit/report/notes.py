"""Warnings and problems in words: what happened, why, and what to do, in English and French.

A job says `note("wrong-cartridge", due="TUE-1", found="MON-1")`; the table has the rest. Values named `size` and
`usual` are bytes, `alert` a flag of TapeAlert, which each language writes in its own way.
"""

import collections
import string
from typing import NamedTuple

from drivers.scsi import alerts
from tapekit.report.night import Note, SourceSize, Verdict
from tapekit.report.words import Words, printable


class Wording(NamedTuple):
    """A kind of note; each part in English and French. `{name}` is a value of the note.

    An empty `why` leaves the detail of the note to stand for it.
    """

    what: tuple[str, str]
    why: tuple[str, str]
    to_do: tuple[str, str]


class Worded(NamedTuple):
    """A note in one language."""

    what: str
    why: str
    to_do: str


_DETAIL = ("", "")
_OTHERWISE = ("otherwise: {otherwise}", "sinon : {otherwise}")
_PUT_IN = ("put {due} in before you leave", "mettez {due} avant de partir")
_SCRUBBED = ("scrubbed on {at} in {drive}", "examinée le {at} dans {drive}")
_RETIRE = (
    "save again on another cartridge, then: tapekit cartridges retire {cartridge}",
    "sauvegardez sur une autre cartouche, puis : tapekit cartridges retire {cartridge}",
)
_CALL = ("call the technician", "appelez le technicien")

NOTES: dict[str, Wording] = {
    # Cartridges
    "no-cartridge": Wording(
        ("no cartridge was in; {due} was due", "pas de cartouche ; {due} était prévue"),
        ("the drive was empty when the night began, or the disk not plugged in",
         "le lecteur était vide au début de la nuit, ou le disque n’était pas branché"),
        ("put {due} in, and run the job again or leave it to the next night",
         "mettez {due}, puis relancez la tâche ou laissez faire la nuit suivante"),
    ),
    "wrong-cartridge": Wording(
        ("{found} was in; {due} was due", "{found} était en place ; {due} était prévue"),
        ("the cartridge was not changed, or another was taken",
         "la cartouche n’a pas été changée, ou une autre a été prise"),
        ("put in the cartridge that this report names as next",
         "mettez celle que ce rapport indique pour la nuit suivante"),
    ),
    "unlabelled-cartridge": Wording(
        ("the cartridge that was in has no label of tapekit", "la cartouche en place n’a pas d’étiquette tapekit"),
        _DETAIL,
        ("put {due} in; a new cartridge is labelled with: tapekit label",
         "mettez {due} ; une cartouche neuve se prépare avec : tapekit label"),
    ),
    "foreign-cartridge": Wording(
        ("the cartridge that was in is not of this site", "la cartouche en place n’est pas de ce site"),
        _DETAIL,
        ("take it out and keep it as it is; put {due} in", "retirez-la et gardez-la telle quelle ; mettez {due}"),
    ),
    "protected-cartridge": Wording(
        ("{cartridge} holds nights that are still needed", "{cartridge} contient des nuits encore nécessaires"),
        _DETAIL,
        ("keep it away from the drive until they expire; put {due} in",
         "ne la remettez pas avant leur expiration ; mettez {due}"),
    ),
    "locked-cartridge": Wording(
        ("{cartridge} was put in for a restore and is not written",
         "{cartridge} est en place pour une restauration : rien n’y est écrit"),
        ("a cartridge put in for a restore stays locked until it is ejected",
         "une cartouche mise en place pour une restauration reste verrouillée jusqu’à son éjection"),
        ("eject it when the restore is done, and put {due} in", "éjectez-la après la restauration, et mettez {due}"),
    ),
    "write-protected": Wording(
        ("{cartridge} is write-protected", "{cartridge} est protégée en écriture"),
        ("its switch forbids writing", "son verrou interdit l’écriture"),
        ("move the switch if the cartridge is the right one", "déplacez le verrou si c’est la bonne cartouche"),
    ),
    "full-cartridge": Wording(
        ("{cartridge} is full", "{cartridge} est pleine"),
        ("the night does not fit behind what must stay on it", "la nuit ne tient pas derrière ce qui doit y rester"),
        ("add a cartridge to the rotation, or shorten the retention",
         "ajoutez une cartouche à la rotation, ou raccourcissez la conservation"),
    ),
    "bad-cartridge": Wording(
        ("{cartridge} has bad places", "{cartridge} a des zones abîmées"),
        _DETAIL,
        ("replace {cartridge}; do not use it for another night",
         "remplacez {cartridge} ; ne vous en servez plus"),
    ),
    "worn-cartridge": Wording(
        ("{cartridge} wears out", "{cartridge} s’use"),
        ("{errors} errors in {loads} loads", "{errors} erreurs en {loads} chargements"),
        ("order a new cartridge for its place", "commandez une cartouche pour la remplacer"),
    ),
    # Before the night
    "check-empty": Wording(
        ("no cartridge is in, {due} is due", "pas de cartouche en place, {due} est prévue"),
        _OTHERWISE,
        _PUT_IN,
    ),
    "check-wrong": Wording(
        ("{cartridge} is in, {due} is due", "{cartridge} est en place, {due} est prévue"),
        _OTHERWISE,
        _PUT_IN,
    ),
    "check-missing": Wording(
        ("{due} is due too, and no drive is left for it", "{due} est prévue aussi, et il n’y a plus de lecteur libre"),
        _OTHERWISE,
        ("name a further drive in the job, or write fewer cartridges a night",
         "ajoutez un lecteur à la tâche, ou écrivez moins de cartouches par nuit"),
    ),
    "check-blank": Wording(
        ("a medium without a label is in, {due} is due", "un support sans étiquette est en place, {due} est prévue"),
        _OTHERWISE,
        _PUT_IN,
    ),
    "check-foreign": Wording(
        ("what is in the drive is not this site's, {due} is due",
         "ce qui est en place n’est pas de ce site, {due} est prévue"),
        _OTHERWISE,
        ("take it out, keep it as it is, and put {due} in before you leave",
         "retirez-le, gardez-le tel quel, et mettez {due} avant de partir"),
    ),
    "check-drive": Wording(
        ("the drive {drive} does not answer", "le lecteur {drive} ne répond pas"),
        _OTHERWISE,
        ("switch it on, look at its cable, and put {due} in before you leave",
         "allumez-le, vérifiez son câble, et mettez {due} avant de partir"),
    ),
    "check-busy": Wording(
        ("the drive {drive} is in use, so nobody can tell what is in it",
         "le lecteur {drive} est occupé, on ne peut pas dire ce qu’il contient"),
        _DETAIL,
        ("see that this ends before the night begins", "veillez à ce que cela finisse avant la nuit"),
    ),
    "check-full": Wording(
        ("{cartridge} is in and due, but cannot take the night",
         "{cartridge} est en place et prévue, mais ne peut pas prendre la nuit"),
        _OTHERWISE,
        ("put {instead} in before you leave", "mettez {instead} avant de partir"),
    ),
    "check-stuck": Wording(
        ("{cartridge} is in and due, but cannot take the night, and no other cartridge can",
         "{cartridge} est en place et prévue, mais ne peut pas prendre la nuit, ni aucune autre"),
        _OTHERWISE,
        _CALL,
    ),
    "check-none": Wording(
        ("no cartridge of this rotation is in service", "aucune cartouche de cette rotation n’est en service"),
        _DETAIL,
        _CALL,
    ),
    # Ways on
    "spooled": Wording(
        ("the night waits on the server's own disk", "la nuit attend sur le disque du serveur"),
        ("no cartridge could take it", "aucune cartouche ne pouvait la prendre"),
        ("put in the cartridge that this report names as next; that run writes what waits, too",
         "mettez celle que ce rapport indique pour la nuit suivante ; elle recevra aussi ce qui attend"),
    ),
    "rest-spooled": Wording(
        ("the night is on {on} as far as that had room; the rest waits on the server's own disk, in parts: {count}",
         "la nuit est sur {on}, autant qu’il y avait de place ; le reste attend sur le serveur, en parties : {count}"),
        ("no further cartridge could take it", "aucune autre cartouche ne pouvait le prendre"),
        ("put {due} in; the night goes on from where it stopped, by itself or with: tapekit nightly",
         "mettez {due} ; la nuit continue où elle s’est arrêtée, d’elle-même ou avec : tapekit nightly"),
    ),
    "parts-spooled": Wording(
        ("the night waits on the server's own disk, in parts: {count}",
         "la nuit attend sur le disque du serveur, en parties : {count}"),
        ("no cartridge could take it, and it takes several",
         "aucune cartouche ne pouvait la prendre, il en faut plusieurs"),
        ("put {due} in, one after the other; the night goes on, by itself or with: tapekit nightly",
         "mettez {due}, l’une après l’autre ; la nuit continue, d’elle-même ou avec : tapekit nightly"),
    ),
    "rest-elsewhere": Wording(
        ("the night goes on on {cartridge}", "la suite de la nuit est sur {cartridge}"),
        ("the rotation named for it: {due}", "la rotation prévoyait : {due}"),
        ("give the rotation as many cartridges as a night takes",
         "donnez à la rotation autant de cartouches qu’il en faut pour une nuit"),
    ),
    "exchanged-cartridge": Wording(
        ("the cartridge in the drive {drive} was exchanged while the night ran",
         "la cartouche du lecteur {drive} a été changée pendant la nuit"),
        _DETAIL,
        ("leave the drive alone while a night runs", "ne touchez pas au lecteur pendant une nuit"),
    ),
    "not-gone-on": Wording(
        ("the night could not go on on {cartridge}", "la nuit n’a pas pu continuer sur {cartridge}"),
        _DETAIL,
        ("put in the cartridge that this report names", "mettez la cartouche que ce rapport indique"),
    ),
    "spool-waits": Wording(
        ("nights that wait on the server's own disk: {count}", "nuits en attente sur le disque du serveur : {count}"),
        ("they are on no cartridge yet", "elles ne sont encore sur aucune cartouche"),
        ("put {due} in", "mettez {due}"),
    ),
    "spool-full": Wording(
        ("the server's own disk cannot take the night", "le disque du serveur ne peut pas prendre la nuit"),
        _DETAIL,
        ("make room on it, or name another directory as spool",
         "libérez-y de la place, ou choisissez un autre répertoire d’attente"),
    ),
    "another-cartridge": Wording(
        ("written to {cartridge}; {due} was due", "écrit sur {cartridge} ; {due} était prévue"),
        ("of all ways on, this one lost least", "de toutes les solutions, c’est celle qui perdait le moins"),
        ("put in the cartridge that this report names as next",
         "mettez celle que ce rapport indique pour la nuit suivante"),
    ),
    "copy-missing": Wording(
        ("cartridges that hold the night: {count}; {due} were due",
         "cartouches qui contiennent la nuit : {count} ; {due} étaient prévues"),
        _DETAIL,
        ("put the missing one in, and run the job again", "mettez celle qui manque, puis relancez la tâche"),
    ),
    # What was to be saved
    "source-missing": Wording(
        ("{source} is not there", "{source} est introuvable"),
        _DETAIL,
        ("is a disk not mounted, or a directory renamed? mend it or change the job",
         "un disque non monté, un répertoire renommé ? corrigez, ou changez la tâche"),
    ),
    "files-missing": Wording(
        ("files that could not be read: {count}, the first: {first}",
         "fichiers illisibles : {count}, dont {first}"),
        _DETAIL,
        ("tapekit list marks them, with the reason", "tapekit list les signale, avec la raison"),
    ),
    "files-rotten": Wording(
        ("files whose content changed though nothing wrote to them: {count}, the first: {first}",
         "fichiers dont le contenu a changé sans que rien ne les écrive : {count}, dont {first}"),
        ("the disk or the memory of this computer may be failing; both contents are kept",
         "le disque ou la mémoire de cet ordinateur est peut-être défaillant ; les deux contenus sont conservés"),
        ("compare the file with the one in an older archive, and have the disk checked",
         "comparez le fichier avec celui d’une archive plus ancienne, et faites vérifier le disque"),
    ),
    "base-missing": Wording(
        ("cartridge {cartridge}: the night could not build upon the one before: all was written",
         "cartouche {cartridge} : la nuit n’a pas pu s’appuyer sur la précédente : tout a été écrit"),
        _DETAIL,
        ("nothing is to be done, if it does not come again", "rien à faire, si cela ne se reproduit pas"),
    ),
    "base-damaged": Wording(
        ("cartridge {cartridge}: an archive that the night builds upon is damaged: all was written anew",
         "cartouche {cartridge} : une archive sur laquelle s’appuie la nuit est abîmée : tout a été réécrit"),
        _DETAIL,
        ("tapekit verify says what is lost of the older nights; replace the cartridge soon",
         "tapekit verify dit ce qui est perdu des nuits précédentes ; remplacez bientôt la cartouche"),
    ),
    "files-changed": Wording(
        ("files that changed while they were saved: {count}, the first: {first}",
         "fichiers modifiés pendant la sauvegarde : {count}, dont {first}"),
        ("a program was writing them", "un programme les écrivait"),
        ("let the job dump the database, stop the program, or take a snapshot",
         "faites exporter la base par la tâche, arrêtez le programme, ou prenez un instantané"),
    ),
    "dump-failed": Wording(
        ("the database {database} was not dumped", "la base {database} n’a pas été exportée"),
        _DETAIL,
        ("its last good dump is in the night before; call the technician",
         "son dernier bon export est dans la nuit précédente ; appelez le technicien"),
    ),
    "empty": Wording(
        ("{name} is empty", "{name} est vide"),
        ("its usual size is {usual}", "sa taille habituelle est de {usual}"),
        ("find out what became of it before older nights expire",
         "cherchez-en la cause avant l’expiration des nuits précédentes"),
    ),
    "size-drop": Wording(
        ("{name} is much smaller than usual", "{name} est bien plus petit que d’habitude"),
        ("{size} instead of {usual}", "{size} au lieu de {usual}"),
        ("find out what is missing before older nights expire",
         "cherchez ce qui manque avant l’expiration des nuits précédentes"),
    ),
    "size-jump": Wording(
        ("{name} is much larger than usual", "{name} est bien plus grand que d’habitude"),
        ("{size} instead of {usual}", "{size} au lieu de {usual}"),
        ("find out what came; exclude it if it need not be saved",
         "cherchez ce qui s’est ajouté ; excluez ce qui n’est pas à sauvegarder"),
    ),
    "capacity": Wording(
        ("a night will soon no longer fit on a cartridge", "une nuit ne tiendra bientôt plus sur une cartouche"),
        ("nights that remain at this growth: {nights}", "nuits restantes à ce rythme : {nights}"),
        ("order larger cartridges, or exclude what need not be saved",
         "commandez des cartouches plus grandes, ou excluez ce qui n’est pas à sauvegarder"),
    ),
    "rotation-full": Wording(
        ("{cartridge} will be full in the night of {night}, and still needed",
         "{cartridge} sera pleine la nuit du {night}, et encore nécessaire"),
        ("nights grow, or the retention is longer than the cartridges last",
         "les nuits grossissent, ou la conservation dépasse ce que tiennent les cartouches"),
        ("add cartridges to the rotation, take larger ones, or shorten the retention",
         "ajoutez des cartouches à la rotation, prenez-en de plus grandes, ou raccourcissez la conservation"),
    ),
    "not-measured": Wording(
        ("{name} was last saved in the night of {night}", "dernière sauvegarde de {name} : la nuit du {night}"),
        ("later nights are without it", "les nuits suivantes ne l’ont pas"),
        ("look at the problems of the last report: tapekit status",
         "voyez les problèmes du dernier rapport : tapekit status"),
    ),
    "overdue": Wording(
        ("no night was saved for {days} days", "aucune nuit n’a été sauvegardée depuis {days} jours"),
        ("the last success: {last}; nights missed since: {missed}",
         "dernière réussite : {last} ; nuits manquées depuis : {missed}"),
        ("put {due} in, and see that the server and the drive are switched on",
         "mettez {due}, et vérifiez que le serveur et le lecteur sont allumés"),
    ),
    "no-timer": Wording(
        ("tapekit has installed nothing on this machine that starts the job",
         "tapekit n’a rien installé sur cette machine qui lance la tâche"),
        _DETAIL,
        ("tapekit schedule install, unless something else starts it",
         "tapekit schedule install, à moins qu’autre chose ne la lance"),
    ),
    "never": Wording(
        ("no night was ever saved", "aucune nuit n’a encore été sauvegardée"),
        _DETAIL,
        ("put {due} in, and run the job once: tapekit nightly",
         "mettez {due}, et lancez la tâche une fois : tapekit nightly"),
    ),
    "cut-off": Wording(
        ("a run was cut off", "une exécution a été coupée"),
        ("in the night of {night}, while it did this: {step}", "la nuit du {night}, pendant l’étape : {step}"),
        ("the next run cleans up; run the job again, or leave it to the next night",
         "l’exécution suivante nettoie ; relancez la tâche, ou laissez faire la nuit suivante"),
    ),
    "next-blocked": Wording(
        ("no cartridge can take the night of {night}", "aucune cartouche ne peut prendre la nuit du {night}"),
        ("{due}: full and still needed, put in for a restore, or out of service",
         "{due} : pleine et encore nécessaire, en restauration, ou hors service"),
        ("tapekit next says which and why", "tapekit next dit laquelle et pourquoi"),
    ),
    "hook-failed": Wording(
        ("the command {command} failed", "la commande {command} a échoué"),
        _DETAIL,
        _CALL,
    ),
    "snapshot-failed": Wording(
        ("no snapshot was taken", "aucun instantané n’a été pris"),
        _DETAIL,
        _CALL,
    ),
    "snapshot-remains": Wording(
        ("the snapshot was not removed", "l’instantané n’a pas été supprimé"),
        _DETAIL,
        ("remove it before it fills the disk", "supprimez-le avant qu’il ne remplisse le disque"),
    ),
    # Evidence
    "verification-failed": Wording(
        ("what was read from {cartridge} is not what was written",
         "ce qui a été lu sur {cartridge} n’est pas ce qui a été écrit"),
        _DETAIL,
        ("replace {cartridge}, and run the job again", "remplacez {cartridge}, et relancez la tâche"),
    ),
    "damaged-copy": Wording(
        ("the night of {night} on {cartridge} was found damaged", "la nuit du {night} sur {cartridge} est abîmée"),
        _DETAIL,
        ("restore what you need of it from another cartridge, and replace {cartridge}",
         "restaurez ce qu’il faut depuis une autre cartouche, et remplacez {cartridge}"),
    ),
    "blocks-corrected": Wording(
        ("blocks that {cartridge} does not hold any more as they were written: {count}; parity gave them all back",
         "blocs que {cartridge} ne contient plus tels qu’ils ont été écrits : {count} ; la parité les a tous rendus"),
        _DETAIL,
        ("scrub it, and replace it when there are more: tapekit scrub",
         "examinez-la, et remplacez-la s’il y en a davantage : tapekit scrub"),
    ),
    "not-joined": Wording(
        ("on {cartridge}, files that changed were checked block by block alone",
         "sur {cartridge}, les fichiers modifiés n’ont été vérifiés que bloc par bloc"),
        _DETAIL,
        ("make room there for as much as the largest file that changed",
         "faites-y de la place pour le plus grand fichier modifié"),
    ),
    "scrub-lost": Wording(
        ("{cartridge} is to be retired: its last scrub lost blocks: {lost}",
         "{cartridge} est à retirer : blocs perdus à son dernier examen : {lost}"),
        _SCRUBBED,
        _RETIRE,
    ),
    "scrub-share": Wording(
        ("{cartridge} is to be retired: {corrected} of its {blocks} blocks had to be corrected",
         "{cartridge} est à retirer : {corrected} de ses {blocks} blocs ont dû être corrigés"),
        _SCRUBBED,
        _RETIRE,
    ),
    "scrub-trend": Wording(
        ("{cartridge} is to be retired: more and more blocks have to be corrected: {trend}",
         "{cartridge} est à retirer : de plus en plus de blocs à corriger : {trend}"),
        _SCRUBBED,
        _RETIRE,
    ),
    "not-verified": Wording(
        ("{cartridge} was not read back", "{cartridge} n’a pas été relue"),
        _DETAIL,
        ("tapekit verify reads it back", "tapekit verify la relit"),
    ),
    "compare-differs": Wording(
        ("files on the cartridge that differ from the source: {count}, the first: {first}",
         "fichiers différents de la source : {count}, dont {first}"),
        ("they did not change, so one of the two is damaged", "ils n’ont pas changé : l’un des deux est abîmé"),
        _CALL,
    ),
    "sample-failed": Wording(
        ("the sample restore from {cartridge} failed", "la restauration d’un échantillon de {cartridge} a échoué"),
        _DETAIL,
        _CALL,
    ),
    # The machine
    "drive": Wording(
        ("the drive {drive} did not do its work", "le lecteur {drive} n’a pas fonctionné"),
        _DETAIL,
        ("see that it is switched on, connected, and has its cartridge; then run the job again",
         "vérifiez qu’il est allumé, branché, et qu’il a sa cartouche, puis relancez la tâche"),
    ),
    "changer": Wording(
        ("the changer of the drive {drive} did not do its work",
         "le chargeur du lecteur {drive} n’a pas fait son travail"),
        _DETAIL,
        ("close its door, and look what is where: tapekit changer status",
         "fermez sa porte, et regardez ce qu’il contient : tapekit changer status"),
    ),
    "busy": Wording(
        ("the drive {drive} was in use", "le lecteur {drive} était occupé"),
        _DETAIL,
        ("move the hours of the two jobs apart", "espacez les heures des deux tâches"),
    ),
    "not-ejected": Wording(
        ("{cartridge} was not ejected", "{cartridge} n’a pas été éjectée"),
        _DETAIL,
        ("press the button of the drive", "appuyez sur le bouton du lecteur"),
    ),
    "catalog": Wording(
        ("the catalog could not be used", "le catalogue n’a pas pu être utilisé"),
        _DETAIL,
        ("tapekit catalog rebuild makes it anew from the cartridges",
         "tapekit catalog rebuild le refait depuis les cartouches"),
    ),
    "catalog-missed": Wording(
        ("the catalog could not be used", "le catalogue n’a pas pu être utilisé"),
        _DETAIL,
        ("mend what the reason names: until then nothing is overwritten, and the next run brings in what is missing",
         "corrigez la cause : d’ici là rien n’est écrasé ; l’exécution suivante reprend ce qui manque au catalogue"),
    ),
    "state": Wording(
        ("what tapekit knows could not be kept", "ce que tapekit sait n’a pas pu être enregistré"),
        _DETAIL,
        ("make room in the state directory, or make it writable",
         "libérez de la place dans le répertoire d’état, ou rendez-le accessible en écriture"),
    ),
    "key": Wording(
        ("a key of this site cannot be used", "une clé de ce site est inutilisable"),
        _DETAIL,
        ("what was written does not open with it: tapekit keys list names it; add it again",
         "ce qui a été écrit ne s’ouvre pas avec elle : tapekit keys list la nomme ; ajoutez-la de nouveau"),
    ),
    "key-unproven": Wording(
        ("nobody has shown lately that a key opens a cartridge",
         "personne n’a montré récemment qu’une clé ouvre une cartouche"),
        ("last shown: {last}", "dernier essai : {last}"),
        ("with last night's cartridge in the drive: tapekit keys test",
         "avec la cartouche de la nuit dans le lecteur : tapekit keys test"),
    ),
    "configuration": Wording(
        ("the configuration is wrong", "la configuration est incorrecte"),
        _DETAIL,
        ("tapekit config check names the line", "tapekit config check donne la ligne"),
    ),
    "not-sent": Wording(
        ("a report could not be sent by {target}", "un rapport n’a pas pu être envoyé par {target}"),
        _DETAIL,
        ("it goes out with the next night's", "il partira avec celui de la nuit suivante"),
    ),
    "not-kept": Wording(
        ("a report could not be sent by {target}, nor kept",
         "un rapport n’a pas pu partir par {target}, ni être gardé"),
        _DETAIL,
        ("make room in the state directory; the catalog has the report",
         "faites de la place dans le répertoire d’état ; le catalogue a le rapport"),
    ),
    "report-file": Wording(
        ("the report could not be written to {path}", "le rapport n’a pas pu être écrit dans {path}"),
        _DETAIL,
        ("make room there, or make it writable", "faites-y de la place, ou rendez-le accessible en écriture"),
    ),
    "defect": Wording(
        ("the program has a defect", "le programme a un défaut"),
        _DETAIL,
        _CALL,
    ),
    "clock": Wording(
        ("the server's clock went back", "l’horloge du serveur a reculé"),
        ("{now} is before the last night, {last}", "{now} précède la dernière nuit, {last}"),
        ("set the clock", "mettez le serveur à l’heure"),
    ),
    "stopped": Wording(
        ("the run was stopped", "l’exécution a été arrêtée"),
        _DETAIL,
        ("run the job again", "relancez la tâche"),
    ),
    "barcode-unreadable": Wording(
        ("the changer of {drive} cannot read the barcode in slot {slots}",
         "le robot de {drive} ne peut pas lire le code-barres de l’emplacement {slots}"),
        ("nothing is fetched from there: nobody knows which cartridge it is",
         "rien n’y est pris : on ne sait pas quelle cartouche c’est"),
        ("stick a new label on that cartridge; tapekit changer load and tapekit inspect say which one it is",
         "recollez une étiquette sur cette cartouche ; tapekit changer load et tapekit inspect disent laquelle c’est"),
    ),
    "not-locked": Wording(
        ("{cartridge} could be taken out while it was written", "{cartridge} pouvait être retirée pendant l’écriture"),
        _DETAIL,
        ("see that nobody takes a cartridge out at night", "veillez à ce que personne ne retire de cartouche la nuit"),
    ),
    "drive-alert": Wording(
        ("the drive {drive} warns: {alert}", "le lecteur {drive} avertit : {alert}"),
        _DETAIL,
        _CALL,
    ),
    # Left by a run that was killed
    "unfinished-archive": Wording(
        ("an unfinished archive is on {cartridge}", "une archive inachevée est sur {cartridge}"),
        ("the run of {night} was killed", "l’exécution du {night} a été interrompue"),
        ("nothing: it counts for nothing, and the next archive follows it",
         "rien à faire : elle ne compte pas, et la suivante s’écrit à sa suite"),
    ),
    "stale-lock": Wording(
        ("a lock of a run that is gone was taken over", "le verrou d’une exécution disparue a été repris"),
        ("the run of {night} was killed", "l’exécution du {night} a été interrompue"),
        ("nothing", "rien à faire"),
    ),
    "stale-files": Wording(
        ("files of a run that is gone were removed: {path}",
         "les fichiers d’une exécution disparue ont été supprimés : {path}"),
        ("the run of {night} was killed", "l’exécution du {night} a été interrompue"),
        ("nothing", "rien à faire"),
    ),
    # Anything else: an error as it came, with its own hint
    "other": Wording(
        ("{message}", "{message}"),
        _DETAIL,
        ("{hint}", "{hint}"),
    ),
}  # fmt: skip

_UNKNOWN = Wording(("{kind}", "{kind}"), _DETAIL, _DETAIL)


def note(kind: str, detail: str = "", **values: str) -> Note:
    """A note of a kind of the table. Raises KeyError where there is no such kind, or a value is missing."""
    missing = placeholders(NOTES[kind]) - values.keys()
    if missing:
        raise KeyError(f"{kind}: {', '.join(sorted(missing))}")
    return Note(kind, values, detail)


_SIZES = frozenset(("size", "usual"))
_OF_VERDICT = {Verdict.EMPTY: "empty", Verdict.DROP: "size-drop", Verdict.JUMP: "size-jump"}


def of_size(size: SourceSize) -> Note | None:
    """What there is to say of the size of a source; None where it is as it should be."""
    kind = _OF_VERDICT.get(size.verdict)
    if kind is None:
        return None
    return note(kind, name=size.name, size=str(size.size_bytes), usual=str(size.usual_bytes or 0))


def of_error(error: Exception) -> Note:
    """A note of an error that is reported as it came."""
    return note("other", message=str(error), hint=getattr(error, "hint", None) or "")


def placeholders(wording: Wording) -> set[str]:
    """The values that a wording names."""
    templates = [template for part in wording for template in part]
    return {name for template in templates for _, name, _, _ in string.Formatter().parse(template) if name}


def worded(note: Note, words: Words) -> Worded:
    """A note in words. One of a newer version, which the table lacks, is told by its kind and detail."""
    wording = NOTES.get(note.kind, _UNKNOWN)
    given = {"kind": note.kind, **note.values}
    values = collections.defaultdict(lambda: "?", {name: _value(name, value, words) for name, value in given.items()})
    said, why, to_do = (words.fill(part, values) for part in wording)
    return Worded(said, words.clauses((why, printable(note.detail))), to_do)


def _value(name: str, value: str, words: Words) -> str:
    if name == "alert" and value.isdecimal():
        return words.clauses(alerts.words(frozenset((int(value),)), words.language))
    return words.size(int(value)) if name in _SIZES and value.isdecimal() else printable(value)


def what(note: Note, words: Words) -> str:
    """What happened, alone."""
    return worded(note, words).what
