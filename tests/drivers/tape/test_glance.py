"""A glance at a drive tells another cartridge from the same one, and leaves the tape where it is."""

from typing import Any

import pytest

from drivers.errors import Busy
from drivers.scsi import commands as c
from drivers.tape import open as tape
from drivers.tape.drive import TapeDrive
from drivers.tape.glance import Glance, Inside, glance
from drivers.tape.nodes import Nodes
from drivers.virtual.faults import Effect, Fault
from drivers.virtual.transport import VirtualTransport
from formats.scsi.sense import Key, Sense

from .conftest import Machine


def look(machine: Machine) -> Glance:
    return glance(VirtualTransport("/dev/sg1", machine.unit))


def test_it_moves_nothing(machine: Machine, drive: TapeDrive) -> None:
    drive.locate(1, 1)
    at = machine.deck.at
    seen = look(machine)
    assert (seen.inside, seen.identity.serial, bool(seen.key)) == (Inside.LOADED, "VD00000001", True)
    assert machine.deck.at == at
    assert look(machine) == seen


def test_what_is_unloaded_stays_so(machine: Machine, drive: TapeDrive) -> None:
    machine.deck.unthread()
    assert look(machine).inside is not Inside.LOADED
    assert machine.deck.at_door is not None


def test_another_cartridge_has_another_key(machine: Machine, drive: TapeDrive) -> None:
    first = look(machine)
    for name, is_other in (("tape", False), ("another", True)):
        taken = machine.deck.take_out()
        assert taken is not None
        taken.close()
        assert look(machine).inside is Inside.NOTHING
        machine.insert(name=name)
        seen = look(machine)
        assert (seen.key != first.key, seen.is_changed) == (is_other, True)


@pytest.mark.parametrize("sense", (Sense(Key.NOT_READY, 0x04, 0x00), Sense(Key.NOT_READY, 0x04, 0x02)))
def test_a_drive_that_is_not_ready_is_neither_waited_for_nor_loaded(
    machine: Machine, drive: TapeDrive, sense: Sense
) -> None:
    machine.script(
        Fault(Effect.SENSE, c.TEST_UNIT_READY.opcode, times=99, sense=sense),
        Fault(Effect.TIMEOUT, c.LOAD_UNLOAD.opcode, times=99),
    )
    before = machine.clock.now()
    assert look(machine).inside is Inside.NOT_NOW
    assert machine.clock.now() - before < 1


@pytest.mark.parametrize("st", ("/dev/nst0", ""))
def test_without_st_the_other_node_lets_nobody_else_in(monkeypatch: pytest.MonkeyPatch, st: str) -> None:
    asked: list[Any] = []

    def in_use(node: str, *, exclusive: bool = False) -> None:
        asked.append((node, exclusive))
        raise Busy(f"{node}: in use")

    monkeypatch.setattr(tape, "nodes_of", lambda _: Nodes("/dev/sg1", st))
    monkeypatch.setattr(tape, "SgTransport", in_use)
    with pytest.raises(Busy):
        tape.open_drive("/dev/sg1", writable=True)
    assert asked == [("/dev/sg1", not st)]
