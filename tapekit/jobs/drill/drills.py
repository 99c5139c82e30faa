"""The drills: for each its scene, what is told, what would be right, and how to see whether it was done."""

import dataclasses
from collections.abc import Callable, Iterator

from drivers.faults import FOREVER, Call, Fault, FaultKind, Operation
from tapekit.catalog.store import Store
from tapekit.jobs import lookup
from tapekit.jobs.drill.scene import JOB, Scene
from tapekit.rotation.words import Words

_IN_THE_DATA = Call(3)
"""The archive's header is the first block."""
SMALL_TAPE, TAPE = 24 << 20, 256 << 20
_BIG_BYTES = 30 << 20


@dataclasses.dataclass(frozen=True)
class Drill:
    """A bad day."""

    name: str
    title: Words
    scene: Words
    """What happened, and what is asked."""
    lesson: Words
    """Why the right way is the right one."""
    right: tuple[str, ...]
    """Lines that a person could type: tapekit's commands, put and take."""
    set_up: Callable[[Scene], None]
    judge: Callable[[Scene], Iterator[Words]]
    """What is not as it should be at the end."""


def _night_before(scene: Scene) -> None:
    """R-01 holds last night; R-02 and R-03 are blank."""
    for number in (1, 2, 3):
        scene.new_disk(f"R-0{number}")
    scene.put("R-01")
    scene.tapekit("nightly", JOB, days_ago=1)


# --- the wrong cartridge ----------------------------------------------------------------------------------------------


def _judge_wrong(scene: Scene) -> Iterator[Words]:
    if scene.complete("R-02") != 1:
        yield Words(
            "tonight is not on R-02, the cartridge that is due", "la nuit n’est pas sur R-02, la cartouche prévue"
        )
    if len(scene.archives("R-01")) != 1:
        yield Words(
            "something was written on R-01, or is gone from it", "R-01 a été écrite, ou il y manque quelque chose"
        )


# --- a full tape ------------------------------------------------------------------------------------------------------


def _set_up_full(scene: Scene) -> None:
    scene.new_tape("FUL001L6", SMALL_TAPE)
    scene.new_tape("FUL002L6", TAPE)
    for name in ("FUL002L6", "FUL001L6"):
        scene.put(name)
        scene.tapekit("label", "tape", "--barcode", name)
    big = scene.office / "stock/sales.dat"
    big.write_bytes((scene.office / "stock/stock.dat").read_bytes() * (_BIG_BYTES // (3 << 20)))


def _judge_full(scene: Scene) -> Iterator[Words]:
    if not scene.complete("FUL002L6"):
        yield Words(
            "there is no complete archive on FUL002L6", "il n’y a pas d’archive complète sur FUL002L6"
        )  # fmt: skip


# --- the drive is reset, the cartridge is pulled out ------------------------------------------------------------------


def _labelled(scene: Scene) -> None:
    """R-02, which is due, is in, and has its label."""
    _night_before(scene)
    scene.put("R-02")
    scene.tapekit("label", "rdx", "--barcode", "R-02", "--pool", "daily")


def _set_up_reset(scene: Scene) -> None:
    _labelled(scene)
    scene.will_fail(Fault(Operation.WRITE_BLOCK, _IN_THE_DATA, FaultKind.RESET))


def _judge_reset(scene: Scene) -> Iterator[Words]:
    if not scene.complete("R-02"):
        yield Words("R-02 holds no complete archive of tonight", "R-02 n’a pas d’archive complète de cette nuit")


def _set_up_pulled(scene: Scene) -> None:
    _labelled(scene)
    scene.will_fail(Fault(Operation.WRITE_BLOCK, _IN_THE_DATA, FaultKind.NO_MEDIUM, times=FOREVER), is_pulled=True)


# --- the catalog, the server ------------------------------------------------------------------------------------------


def _set_up_catalog(scene: Scene) -> None:
    _night_before(scene)
    for path in scene.state.glob("catalog.sqlite*"):
        scene.lose(path)


def _judge_catalog(scene: Scene) -> Iterator[Words]:
    path = scene.state / lookup.FILE_NAME
    known = Store.open(path, "Drill") if path.exists() else None
    cartridges = 0
    if known is not None:
        with known:
            cartridges = sum(bool(cartridge.copies) for cartridge in known.stock().cartridges)
    if not cartridges:
        yield Words("the catalog does not know what is on R-01", "le catalogue ne sait pas ce qu’il y a sur R-01")
    if len(scene.archives("R-01")) != 1:
        yield Words(
            "something was written on R-01, or is gone from it", "R-01 a été écrite, ou il y manque quelque chose"
        )


def _set_up_server(scene: Scene) -> None:
    _night_before(scene)
    scene.office.rename(scene.folder / ".original")
    scene.lose(scene.state, scene.configuration)


def _judge_server(scene: Scene) -> Iterator[Words]:
    original = scene.folder / ".original"
    for path in (path for path in original.rglob("*") if path.is_file()):
        name = path.relative_to(original)
        found = [back for back in scene.folder.rglob(str(name)) if original not in back.parents]
        if not any(back.read_bytes() == path.read_bytes() for back in found):
            yield Words(f"{name} did not come back as it was", f"{name} n’est pas revenu tel qu’il était")


DRILLS: tuple[Drill, ...] = (
    Drill(
        "wrong-cartridge",
        Words("The wrong cartridge", "La mauvaise cartouche"),
        Words(
            "It is evening. Last night was saved on R-01, and nobody has changed it. Find out what is due, put it"
            " in, and run the night of the job office. The drive is called rdx; R-01, R-02 and R-03 are on your"
            " shelf.",
            "C’est le soir. La nuit passée est sur R-01, et personne ne l’a changée. Trouvez laquelle est prévue,"
            " mettez-la, et lancez la nuit de la tâche office. Le lecteur s’appelle rdx ; R-01, R-02 et R-03 sont"
            " sur l’étagère.",
        ),
        Words(
            "On the wrong cartridge nothing is lost: the night would go behind what is on it. But then both nights"
            " are on one cartridge, and go home in one bag. check-tonight says so before anybody leaves.",
            "Sur la mauvaise cartouche, rien n’est perdu : la nuit irait derrière. Mais les deux nuits seraient"
            " alors sur une seule cartouche, dans un seul sac. check-tonight le dit avant le départ.",
        ),
        ("tapekit check-tonight office", "put R-02", "tapekit nightly office"),
        _night_before, _judge_wrong,
    ),
    Drill(
        "full-tape",
        Words("A tape that is full", "Une bande pleine"),
        Words(
            "The tape FUL001L6 is in the drive called tape. Save the folder office to it. It is a small tape: see"
            " what happens, and see that the whole folder gets onto a tape. FUL002L6 is larger.",
            "La bande FUL001L6 est dans le lecteur nommé tape. Sauvegardez-y le dossier office. C’est une petite"
            " bande : voyez ce qui arrive, et faites que tout le dossier soit sur une bande. FUL002L6 est plus"
            " grande.",
        ),
        Words(
            "Exit code 9 is the end of the tape: what was saved until then can be restored, the archive is marked,"
            " and nothing older was touched. The whole goes onto a larger cartridge, or over several.",
            "Le code 9 est la fin de la bande : ce qui précède peut être restauré, l’archive est marquée, et rien"
            " de plus ancien n’est touché. Le tout va sur une cartouche plus grande, ou sur plusieurs.",
        ),
        ("tapekit backup tape office", "put FUL002L6", "tapekit backup tape office", "tapekit verify tape"),
        _set_up_full, _judge_full,
    ),
    Drill(
        "drive-reset",
        Words("The drive is reset", "Le lecteur redémarre"),
        Words(
            "R-02 is in, and is due. Run the night of the job office: in the middle of it somebody trips over the"
            " cable. See that tonight is saved all the same.",
            "R-02 est en place, et c’est la bonne. Lancez la nuit de la tâche office : au milieu, quelqu’un"
            " trébuche sur le câble. Faites que la nuit soit sauvegardée tout de même.",
        ),
        Words(
            "What a reset cuts off is incomplete, and says so; what is on the cartridge from before is untouched."
            " Run the night again: it goes behind, with new keys.",
            "Ce qu’une coupure interrompt est incomplet, et le dit ; ce qui précède sur la cartouche est intact."
            " Relancez la nuit : elle va derrière, avec de nouvelles clés.",
        ),
        (
            "tapekit nightly office", "tapekit inspect rdx", "tapekit nightly office",
            "tapekit verify rdx --archive latest",
        ),
        _set_up_reset, _judge_reset,
    ),
    Drill(
        "pulled-rdx",
        Words("A cartridge is pulled out", "Une cartouche retirée"),
        Words(
            "R-02 is in, and is due. Run the night of the job office: in the middle of it somebody takes the"
            " cartridge. See that tonight is saved all the same.",
            "R-02 est en place, et c’est la bonne. Lancez la nuit de la tâche office : au milieu, quelqu’un retire"
            " la cartouche. Faites que la nuit soit sauvegardée tout de même.",
        ),
        Words(
            "What was cut off is incomplete, and says so; nothing has to be repaired, and what was on the cartridge"
            " before is untouched. Put the cartridge back, and run the night again.",
            "Ce qui a été interrompu est incomplet, et le dit ; rien n’est à réparer, et ce qui précède est intact."
            " Remettez la cartouche, et relancez la nuit.",
        ),
        ("tapekit nightly office", "put R-02", "tapekit nightly office", "tapekit inspect rdx"),
        _set_up_pulled, _judge_reset,
    ),
    Drill(
        "lost-catalog",
        Words("The catalog is lost", "Le catalogue est perdu"),
        Words(
            "The disk with the catalog is gone; the cartridges are not. R-01 is in the drive rdx. Find out on"
            " which cartridge offer.txt is, by the catalog.",
            "Le disque du catalogue est perdu ; les cartouches, non. R-01 est dans le lecteur rdx. Trouvez sur"
            " quelle cartouche est offer.txt, par le catalogue.",
        ),
        Words(
            "Every cartridge carries the list of what is on it. catalog rebuild reads them one by one, and writes"
            " on none.",
            "Chaque cartouche porte la liste de ce qu’elle contient. catalog rebuild les lit une à une, sans rien"
            " y écrire.",
        ),
        ("tapekit find offer.txt", "tapekit catalog rebuild rdx", "tapekit find offer.txt"),
        _set_up_catalog, _judge_catalog,
    ),
    Drill(
        "lost-server",
        Words("The server is lost", "Le serveur est perdu"),
        Words(
            "The server burnt: its files, its configuration, its catalog. This is a new machine, and R-01 is in"
            " its drive, image:rdx. Get the folder office back, into a folder of this one.",
            "Le serveur a brûlé : ses fichiers, sa configuration, son catalogue. Voici une machine neuve, et R-01"
            " est dans son lecteur, image:rdx. Récupérez le dossier office, dans un dossier d’ici.",
        ),
        Words(
            "A cartridge and its key are enough: no configuration, no catalog. Look first, restore beside,"
            " compare, and only then put back. With no tapekit at all the cartridge's own rescue.py does it.",
            "Une cartouche et sa clé suffisent : ni configuration, ni catalogue. Regardez d’abord, restaurez à"
            " côté, comparez, puis remettez en place. Sans tapekit, le rescue.py de la cartouche suffit.",
        ),
        ("tapekit inspect image:rdx", "tapekit list image:rdx", "tapekit restore image:rdx --to back"),
        _set_up_server, _judge_server,
    ),
)  # fmt: skip
