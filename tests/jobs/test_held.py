"""Nobody takes a cartridge out while a job writes on it, and everybody may behind it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.base import Drive
from drivers.errors import DeviceFailure, DriveError, MediumChanged
from drivers.scsi import commands
from drivers.scsi.link import Patience
from drivers.tape import virtual
from drivers.tape.drive import TapeDrive
from drivers.virtual.clock import SimulatedClock
from drivers.virtual.faults import Script, parse
from drivers.virtual.tape.deck import Deck
from drivers.virtual.tape.open import unit_of
from drivers.virtual.transport import VirtualTransport
from fixtures.rdx import VirtualDock
from tapekit.jobs import backup, label
from tapekit.jobs.held import held
from tapekit.progress import Silent
from tests.jobs.cartridges import evidences, request


@dataclasses.dataclass
class Bench:
    """A virtual drive with a labelled cartridge, and what is seen of its door."""

    drive: TapeDrive
    deck: Deck
    source: Path
    seen: list[bool] = dataclasses.field(default_factory=list)

    def back_up(self, at: Callable[[], None] = lambda: None) -> backup.Result:
        """`at` is called when something was read of the source."""

        class Watching(Silent):
            def advance(_self, size_bytes: int) -> None:  # noqa: N805 - the bench is self
                self.seen.append(self.deck.is_removal_prevented)
                at()

        return backup.run(self.drive, request(self.source), Watching(), evidences())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "source").write_bytes(bytes(1 << 20))
    return make(tmp_path)


def make(tmp_path: Path, script: str = "") -> Bench:
    clock = SimulatedClock()
    unit = unit_of(f"{tmp_path}/tape?generation=6&capacity=100M", writable=True, clock=clock)
    drive = TapeDrive(
        "virtual:tape", VirtualTransport("tape", unit), patience=Patience(clock.now, clock.wait), let_go=unit.deck.close
    )
    label.run(drive, barcode="TAP001", pool=None, block_bytes=16 << 10, destroy=None)
    if script:
        unit.script = Script(parse(script))
    return Bench(drive, unit.deck, tmp_path / "source")


def test_the_door_is_locked_while_it_is_written_and_open_behind(bench: Bench) -> None:
    done = bench.back_up()
    assert bench.seen
    assert all(bench.seen)
    assert not bench.deck.is_removal_prevented
    assert done.not_locked == ()
    bench.drive.close()


@pytest.mark.parametrize("error", (KeyboardInterrupt, RuntimeError, DriveError("gone")))
def test_it_is_open_behind_what_went_wrong(bench: Bench, error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever it becomes
        bench.back_up(fail)
    assert bench.seen == [True]
    assert not bench.deck.is_removal_prevented
    bench.drive.close()


def test_a_write_that_fails_leaves_it_open(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(1 << 20))
    bench = make(tmp_path, "write #20: sense 03/0C/00")
    with pytest.raises(DriveError):
        bench.back_up()
    assert not bench.deck.is_removal_prevented
    bench.drive.close()


def test_a_drive_that_refuses_is_written_to_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(1 << 20))
    bench = make(tmp_path, "prevent or allow removal x9: sense 05/20/00")
    done = bench.back_up()
    assert not any(bench.seen)
    assert done.state == "complete"
    assert done.not_locked == ("virtual:tape: the drive does not know this command (05/20/00)",)
    bench.drive.close()


def test_a_cartridge_that_was_changed_meanwhile_is_not_taken_for_a_refusal(tmp_path: Path) -> None:
    bench = make(tmp_path, "prevent or allow removal: attention 06/28/00")
    with pytest.raises(MediumChanged), held(bench.drive, lambda _: None):
        pytest.fail("nothing may be written")
    bench.drive.close()


def test_what_a_killed_job_locked_is_open_when_the_drive_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drive goes on holding the cartridge: nothing of ours runs any more that could tell it otherwise."""
    sent: list[bytes] = []
    execute = VirtualTransport.execute

    def noted(self: VirtualTransport, command: bytes, **rest: object) -> object:
        sent.append(command)
        return execute(self, command, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(VirtualTransport, "execute", noted)
    drive = virtual.open_drive(f"{tmp_path}/tape?generation=6&capacity=100M", writable=False)
    assert commands.PREVENT_ALLOW.opcode in {command[0] for command in sent if not command[4] & 1}
    drive.close()


def test_closing_lets_go_what_nobody_did(bench: Bench) -> None:
    bench.drive.lock(locked=True)
    bench.drive.close()
    assert not bench.deck.is_removal_prevented


def test_a_dock_holds_its_cartridge_until_it_is_closed(tmp_path: Path) -> None:
    """It is read back while it is open, and the kernel has locked its door as long."""
    (tmp_path / "source").write_bytes(b"content")
    dock = VirtualDock(content=bytearray(48 << 20))
    drive = dock.open()
    label.run(drive, barcode="RDX-1", pool=None, block_bytes=None, destroy=None)
    seen = [dock.is_locked]
    assert backup.run(drive, request(tmp_path / "source"), Silent(), evidences()).not_locked == ()
    seen.append(dock.is_locked)
    drive.close()
    assert [*seen, dock.is_locked] == [False, True, False]


def test_a_refusal_is_the_only_error_that_is_passed_over() -> None:
    class Failing:
        def lock(self, *, locked: bool) -> None:
            raise DeviceFailure("no") if locked else DriveError("worse")

    told: list[str] = []
    drive: Drive = Failing()  # type: ignore[assignment]
    with held(drive, told.append):
        pass
    assert told == ["no"]
