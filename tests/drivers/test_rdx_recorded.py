"""Sessions with a dock behind the kernel's own sg, played without one: the same questions, the same understanding."""

import pytest

from drivers.recordlog.storage import Storage
from drivers.scsi.record import Player, UnexpectedCommand
from fixtures.rdx import RECORDED, SESSIONS, Session
from fixtures.storage import MemoryStorage

SIZE_BYTES = 48 << 20


def opener(session: Session) -> "tuple[Storage, bool]":
    return MemoryStorage(bytearray(SIZE_BYTES), writable=not session.is_write_protected), False


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.name)
def test_is_played_to_its_end(session: Session) -> None:
    with (RECORDED / session.file).open() as lines:
        player = Player("/dev/sg0", lines)
        session.run(player, lambda: opener(session))
        assert player.left == 0


def test_another_question_is_noticed() -> None:
    with (RECORDED / SESSIONS[0].file).open() as lines:
        changed = [line.replace("12000000fc00", "120000002400") for line in lines]
    with pytest.raises(UnexpectedCommand):
        SESSIONS[0].run(Player("/dev/sg0", changed), lambda: opener(SESSIONS[0]))
