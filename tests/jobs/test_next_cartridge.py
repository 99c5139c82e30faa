"""Who brings the next cartridge: drives named in advance, and a person at a terminal."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from drivers import image
from drivers.base import Drive
from tapekit.cartridge.cartridge import open_cartridge
from tapekit.errors import CartridgeError
from tapekit.jobs import label
from tapekit.jobs.next_cartridge import Asked, AtTerminal, Listed
from tests.jobs.cartridges import Image


@pytest.fixture
def images(tmp_path: Path) -> dict[str, Image]:
    made = {}
    for name in ("A", "B", "C"):
        image.create(str(tmp_path / name), 6 << 20 | 1 << 20)
        made[name] = Image(tmp_path / name)
        with made[name].drive(writable=True) as drive:
            label.run(drive, barcode=name, pool=None, block_bytes=4096, destroy=None)
    return made


def only(*names: str) -> Callable[[Drive], None]:
    """Takes cartridges of these names."""

    def check(drive: Drive) -> None:
        found = open_cartridge(drive).name
        if found not in names:
            raise CartridgeError(f"{found} is in, not {names[0]}", "put in another")

    return check


def asked(check: Callable[[Drive], None], *, is_to_write: bool = True, name: str = "") -> Asked:
    return Asked("ab" * 16, "backup", 1, is_to_write, check, finished="A", name=name)


def name_of(drive: Drive | None) -> str | None:
    return None if drive is None else open_cartridge(drive).name


def opener(of: Image, *, writable: bool = True) -> Callable[[], Drive]:
    return lambda: image.open_drive(str(of.path), writable=writable)


class Person:
    """Types what it was told to, and remembers what it read."""

    def __init__(self, lines: Iterable[str | None]) -> None:
        self.lines = list(lines)
        self.read: list[str] = []

    def ask(self, prompt: str) -> str | None:
        self.read.append(prompt)
        return self.lines.pop(0)


def terminal(person: Person, **more: object) -> AtTerminal:
    def open_drive(name: str, writable: bool) -> Drive:  # noqa: FBT001 - the shape that is asked for
        return image.open_drive(name.removeprefix("image:"), writable=writable)

    return AtTerminal(open_drive, person.ask, person.read.append, **more)  # type: ignore[arg-type]


def test_of_drives_in_advance_the_first_that_fits_is_written(images: dict[str, Image]) -> None:
    said: list[str] = []
    drives = Listed([opener(images["B"]), opener(images["C"])], say=said.append)
    found = drives.next(opener(images["A"])(), asked(only("C")))
    assert name_of(found) == "C"
    assert said == ["not written: B is in, not C"]
    assert found is not None
    assert drives.next(found, asked(only("B"))) is None  # passed over once, it is not taken later
    drives.close()


def test_what_was_read_may_be_asked_for_again(images: dict[str, Image]) -> None:
    drives = Listed([opener(images["B"], writable=False), opener(images["C"], writable=False)])
    first = opener(images["A"], writable=False)()
    third = drives.next(first, asked(only("C"), is_to_write=False))
    assert third is not None
    assert name_of(third) == "C"
    second = drives.next(third, asked(only("B"), is_to_write=False))
    assert second is not None
    assert name_of(second) == "B"
    assert name_of(drives.next(second, asked(only("A"), is_to_write=False))) == "A"
    drives.close()
    first.close()


def test_a_cartridge_that_must_not_be_written_is_passed_over(images: dict[str, Image]) -> None:
    def permit(drive: Drive) -> None:
        if open_cartridge(drive).name == "B":
            raise CartridgeError("B: put in for a restore")

    said: list[str] = []
    drives = Listed([opener(images["B"]), opener(images["C"])], permit, said.append)
    assert name_of(drives.next(opener(images["A"])(), asked(only("B", "C")))) == "C"
    assert said == ["not written: B: put in for a restore"]
    drives.close()


def test_a_person_is_told_what_is_wrong_and_asked_again(images: dict[str, Image]) -> None:
    person = Person([str(images["A"].path), "no-such-file", str(images["B"].path)])
    drives = terminal(person)
    found = drives.next(opener(images["A"])(), asked(only("B"), name="B"))
    assert name_of(found) == "B"
    assert person.read[0] == "cartridge A is full: part 2 of archive abababab follows"
    assert "put cartridge B into" in person.read[1]
    assert person.read[2:4] == ["A is in, not B", "  hint: put in another"]
    assert any("no-such-file" in line for line in person.read[4:])
    assert found is not None
    assert found.medium().write_protected is False
    drives.close()


@pytest.mark.parametrize("answer", ("q", " Q ", None))
def test_a_person_may_give_up(images: dict[str, Image], answer: str | None) -> None:
    drives = terminal(Person([answer]))
    assert drives.next(opener(images["A"])(), asked(only("B"))) is None
    if answer is None:
        assert drives.next(opener(images["A"])(), asked(only("C"))) is None  # and is not asked again
    drives.close()


def test_the_drive_that_is_in_use_is_the_one_meant_by_enter(images: dict[str, Image]) -> None:
    drives = terminal(Person([""]))
    assert name_of(drives.next(opener(images["A"])(), asked(only("A")))) == "A"
    drives.close()


def test_a_blank_medium_becomes_a_cartridge_where_the_person_names_it(images: dict[str, Image], tmp_path: Path) -> None:
    image.create(str(tmp_path / "new"), 7 << 20)

    def label_blank(drive: Drive, name: str) -> None:
        label.run(drive, barcode=name, pool=None, block_bytes=4096, destroy=None)

    person = Person([str(tmp_path / "new"), "", str(tmp_path / "new"), "D"])
    drives = terminal(person, label_blank=label_blank)
    assert name_of(drives.next(opener(images["A"])(), asked(only("D")))) == "D"
    assert sum(line.startswith("it is blank") for line in person.read) == 2
    drives.close()
