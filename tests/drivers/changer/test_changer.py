"""The changer over a virtual one: what is where, moves, and what goes wrong with them."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.changer.changer import Changer, is_same
from drivers.changer.errors import NoSuchBarcode, NoSuchPlace, PlaceEmpty, PlaceFull
from drivers.changer.open import node_of, open_changer, unloading
from drivers.errors import Busy, DeviceFailure, DriveError, MediumChanged, NoDevice, NotReady
from drivers.scsi import commands as c
from drivers.scsi.generations import generation
from drivers.scsi.link import Patience
from drivers.scsi.transport import TimedOut
from drivers.tape import virtual
from drivers.virtual.changer import ChangerUnit, Plan, add, make
from drivers.virtual.clock import SimulatedClock
from drivers.virtual.faults import Effect, Fault, Script
from drivers.virtual.tape.deck import Deck, Names
from drivers.virtual.transport import VirtualTransport
from formats.scsi.sense import Key, Sense

MB = 10**6


@pytest.fixture
def unit(tmp_path: Path) -> ChangerUnit:
    """Two drives, six slots, one import/export slot; cartridges 1 to 3 in slots 1 to 3, one for cleaning in slot 6."""
    folder = tmp_path / "changer"
    make(folder, Plan(drives=2, slots=6), ("TB0001L6", "TB0002L6", "TB0003L6"), 16 * MB)
    add(folder, "CLN001CU", "slot-6")
    return ChangerUnit(folder)


@pytest.fixture
def changer(unit: ChangerUnit) -> Iterator[Changer]:
    clock = SimulatedClock()
    opened = Changer("changer:/dev/sg3", VirtualTransport("/dev/sg3", unit), patience=Patience(clock.now, clock.wait))
    yield opened
    opened.close()


def where(changer: Changer) -> dict[str, str]:
    found = changer.inventory()
    return {spot.name: spot.element.barcode for spot in (*found.drives, *found.slots) if spot.element.is_full}


FIRST = {
    "slot 1": "TB0001L6", "slot 2": "TB0002L6", "slot 3": "TB0003L6", "slot 6": "CLN001CU",
}  # fmt: skip


def test_what_is_where(changer: Changer) -> None:
    assert where(changer) == FIRST
    found = changer.inventory()
    assert [spot.element.device_id for spot in found.drives] == ["VD00000001", "VD00000002"]
    assert [spot.name for spot in found.slots][-2:] == ["slot 6", "import/export slot 7"]
    assert (changer.identity.model, changer.serial) == ("StorageLoader", "VC00000001")
    assert changer.look_anew() == found


def test_some_changers_do_not_tell_barcodes_and_drives_at_once(unit: ChangerUnit, changer: Changer) -> None:
    expected = changer.inventory()
    unit.mixes_up = True
    assert changer.inventory() == expected


def test_loaded_by_barcode_and_back_to_its_slot(changer: Changer) -> None:
    assert changer.load("TB0002L6").name == "drive 0"
    assert where(changer) == {"drive 0": "TB0002L6", **{at: one for at, one in FIRST.items() if at != "slot 2"}}
    changer.load("TB0002L6")  # there already
    changer.load("TB0003", drive=1)  # a changer may leave the last two characters out, and so may people
    changer.load(1)
    assert where(changer) == {"drive 0": "TB0001L6", "drive 1": "TB0003L6", "slot 2": "TB0002L6", "slot 6": "CLN001CU"}
    assert changer.unload().name == "slot 1"
    assert changer.unload(1, slot=7).name == "import/export slot 7"
    assert where(changer)["import/export slot 7"] == "TB0003L6"


def test_where_it_came_from_is_taken_and_there_is_another_place(unit: ChangerUnit, changer: Changer) -> None:
    changer.load("TB0001L6")
    (unit.folder / "slot-3").rename(unit.folder / "slot-1")
    assert changer.unload().name == "slot 3"


def test_every_slot_is_full(unit: ChangerUnit, changer: Changer) -> None:
    changer.load("TB0001L6")
    for slot in (1, 4, 5):
        add(unit.folder, f"TB001{slot}L6", f"slot-{slot}", MB)
    with pytest.raises(PlaceFull, match="every slot is full"):
        changer.unload()
    assert where(changer)["drive 0"] == "TB0001L6"


def test_what_cannot_be(changer: Changer) -> None:
    cases: tuple[tuple[Callable[[], object], type[DriveError], str], ...] = (
        (lambda: changer.load("TB0009L6"), NoSuchBarcode, "not in it"),
        (lambda: changer.load(4), PlaceEmpty, "slot 4 is empty"),
        (lambda: changer.load(99), NoSuchPlace, "no slot 99"),
        (lambda: changer.load("TB0001L6", drive=2), NoSuchPlace, "no drive 2"),
        (changer.unload, PlaceEmpty, "drive 0 is empty"),
        (lambda: changer.transfer(4, 5), PlaceEmpty, "slot 4 is empty"),
        (lambda: changer.transfer(1, 2), PlaceFull, "slot 2 holds TB0002L6"),
        (lambda: changer.transfer(1, 50), NoSuchPlace, "no slot 50"),
    )
    for act, error, why in cases:
        with pytest.raises(error, match=why):
            act()
    assert where(changer) == FIRST
    with pytest.raises(NoSuchBarcode) as caught:
        changer.load("X")
    assert "TB0003L6 in slot 3" in str(caught.value.hint)


def test_a_drive_that_is_in_use_keeps_its_cartridge(unit: ChangerUnit, changer: Changer) -> None:
    changer.load("TB0001L6")
    drive = virtual.open_drive(str(unit.folder / "drive-0"), writable=True)
    with pytest.raises(Busy, match="locked in"):
        changer.load("TB0002L6")
    drive.close()
    changer.load("TB0002L6")
    assert where(changer)["drive 0"] == "TB0002L6"


def test_a_drive_of_a_changer_may_be_empty(unit: ChangerUnit) -> None:
    drive = virtual.open_drive(str(unit.folder / "drive-1"), writable=True)
    assert not drive.medium().present
    drive.close()
    assert not (unit.folder / "drive-1").exists()


def test_the_drive_lets_go_first(tmp_path: Path) -> None:
    """Robot and drive in one process: what is still threaded is unloaded before the robot takes it."""
    folder = tmp_path / "changer"
    make(folder, Plan(drives=1, slots=3), ("TB0001L6", "TB0002L6"), 16 * MB)
    deck = Deck(generation(6), Names(), SimulatedClock())
    unit = ChangerUnit(folder, decks=(deck,))
    silent = Changer("changer:x", VirtualTransport("x", unit))
    silent.load("TB0001L6")
    assert deck.cartridge is not None
    with pytest.raises(DeviceFailure, match="neither loaded nor ejected"):
        silent.load("TB0002L6")
    helpful = Changer("changer:x", VirtualTransport("x", unit), unload_drive=lambda *_: deck.unthread())
    helpful.load("TB0002L6")
    assert deck.cartridge is not None
    assert deck.cartridge.path.endswith("TB0002L6")
    deck.close()


def test_a_move_that_fails_leaves_everything(unit: ChangerUnit, changer: Changer) -> None:
    unit.script = Script((Fault(Effect.SENSE, c.MOVE_MEDIUM.opcode, sense=Sense(Key.HARDWARE_ERROR, 0x15, 0x01)),))
    with pytest.raises(DriveError, match="moving TB0001L6 from slot 1 to drive 0"):
        changer.load("TB0001L6")
    assert where(changer) == FIRST
    changer.load("TB0001L6")


def test_a_move_whose_answer_is_lost_is_seen_by_looking(unit: ChangerUnit, changer: Changer) -> None:
    unit.script = Script((Fault(Effect.TIMEOUT, c.MOVE_MEDIUM.opcode),))
    with pytest.raises(TimedOut):
        changer.load("TB0001L6")
    assert changer.load("TB0001L6").name == "drive 0"


def test_a_door_that_is_open(unit: ChangerUnit, changer: Changer) -> None:
    unit.is_open = True
    with pytest.raises(NotReady, match="the magazine cannot be reached"):
        changer.load("TB0001L6")


def test_it_is_waited_for_while_it_becomes_ready(unit: ChangerUnit, changer: Changer) -> None:
    becoming = Sense(Key.NOT_READY, 0x04, 0x01)
    unit.script = Script((Fault(Effect.SENSE, c.READ_ELEMENT_STATUS.opcode, times=50, sense=becoming),))
    assert where(changer) == FIRST


def test_a_cartridge_that_somebody_put_in_is_noticed(unit: ChangerUnit, changer: Changer) -> None:
    add(unit.folder, "TB0007L6", "slot-5", MB)
    unit.by_hand("port-1", "TB0007L6")
    with pytest.raises(MediumChanged, match="import/export slot was opened"):
        changer.inventory()
    assert where(changer)["import/export slot 7"] == "TB0007L6"


def test_what_is_no_changer(tmp_path: Path) -> None:
    with pytest.raises(NoDevice, match="no such device"):
        open_changer(str(tmp_path / "none"))
    with pytest.raises(NoDevice, match="is no virtual changer"):
        ChangerUnit(tmp_path)
    (tmp_path / "changer.json").touch()
    with pytest.raises(Busy):
        make(tmp_path, Plan())


def test_a_drive_that_the_computer_does_not_see_is_left_to_the_changer(changer: Changer) -> None:
    found = changer.inventory()
    unloading({})(found.drives[0], found)


def test_a_drive_is_found_by_its_serial_number_also_where_that_is_cut_short(changer: Changer) -> None:
    found = changer.inventory()
    first, second = found.drives
    nodes = {"VD00000001": "/dev/sg1", "VD00000002": "/dev/sg2"}
    assert [node_of(one, found, nodes) for one in found.drives] == ["/dev/sg1", "/dev/sg2"]
    cut = dataclasses.replace(second, element=dataclasses.replace(second.element, device_id="TANDBERG LTO VD"))
    assert node_of(cut, dataclasses.replace(found, drives=(first, cut)), nodes) == "/dev/sg2"
    twice = dataclasses.replace(first, element=cut.element)
    unsure = dataclasses.replace(found, drives=(twice, cut))
    assert node_of(cut, unsure, nodes) is None  # rather none than somebody else's
    silent = dataclasses.replace(first, element=dataclasses.replace(first.element, device_id=""))
    assert node_of(silent, found, {"VD00000009": "/dev/sg9"}) is None
    assert node_of(silent, dataclasses.replace(found, drives=(silent,)), {"X": "/dev/sg9"}) == "/dev/sg9"
    mine = dataclasses.replace(
        first, element=dataclasses.replace(first.element, device_id="IBM ULT3580-HH8 90WT000001")
    )
    assert node_of(mine, dataclasses.replace(found, drives=(mine,)), {"10WT999999": "/dev/sg1"}) is None  # no other's
    assert node_of(silent, found, {"": "/dev/sg1", "X": "/dev/sg2"}) is None


def test_a_drive_that_somebody_has_open_is_not_unloaded(changer: Changer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def in_use(node: str, *, exclusive: bool = False) -> None:
        asked.append(exclusive)
        raise Busy(f"{node}: in use")

    monkeypatch.setattr("drivers.changer.open.SgTransport", in_use)
    found = changer.inventory()
    with pytest.raises(Busy):
        unloading({"VD00000001": "/dev/sg1"})(found.drives[0], found)
    assert asked == [True]


def test_a_media_id_tells_two_cartridges_apart(unit: ChangerUnit, changer: Changer) -> None:
    assert is_same("TB0001L6", "TB0001")
    assert is_same("TB0001", "TB0001L6")
    assert not is_same("TB0001L6", "TB0001L7")
    assert not is_same("TB0001", "TB0002L6")
    assert not is_same("", "TB0001L6")
    add(unit.folder, "TB0002L5", "slot-4", MB)
    with pytest.raises(NoSuchBarcode):
        changer.load("TB0002L7")
    with pytest.raises(NoSuchBarcode):
        changer.load("TB0002")  # which one?
    changer.load("TB0002L5")
    assert where(changer)["drive 0"] == "TB0002L5"
