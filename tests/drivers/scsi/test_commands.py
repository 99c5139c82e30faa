from drivers.scsi import commands
from drivers.scsi.commands import COMMANDS, block


def test_the_size_of_a_command_is_that_of_its_group() -> None:
    """SPC-4, section 4.3.2: the first three bits of the operation code."""
    sizes = {0: 6, 1: 10, 2: 10, 4: 16, 5: 12, 7: 10}
    assert {row.name: row.size for row in COMMANDS} == {row.name: sizes[row.opcode >> 5] for row in COMMANDS}


def test_fields_are_big_endian_and_signed_where_they_are_negative() -> None:
    assert block(commands.SPACE, (1, 1, 1), (2, 3, -2)) == bytes.fromhex("11 01 ff ff fe 00")
    assert block(commands.LOCATE_16, (1, 1, 8), (4, 8, 1 << 33))[4:12] == (1 << 33).to_bytes(8)


def test_new_drives_are_waited_for_longer() -> None:
    assert commands.WRITE.timeout(6) < commands.WRITE.timeout(9) == commands.WRITE.timeout()
    assert all(row.timeout_s >= 60 for row in COMMANDS)
