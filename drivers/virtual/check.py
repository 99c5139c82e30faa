"""How a virtual device says that it did not do a command, or has something to say beside doing it."""

from typing import Any

from formats.scsi.sense import Key, Sense


class Check(Exception):
    """The command ends with CHECK CONDITION: the sense data, and what data came nevertheless."""

    def __init__(self, key: int, asc: int = 0, ascq: int = 0, *, data: bytes = b"", **marks: Any) -> None:  # noqa: ANN401
        """Name key, code and qualifier; `marks` are the other fields of Sense."""
        self.sense = Sense(key, asc, ascq, **marks)
        self.data = data
        super().__init__(str(self.sense))


def unknown_command() -> Check:
    """The device has no such command."""
    return Check(Key.ILLEGAL_REQUEST, 0x20)


def bad_field() -> Check:
    """The command block says something that the device does not know."""
    return Check(Key.ILLEGAL_REQUEST, 0x24)


def bad_parameter() -> Check:
    """The data that came with the command say something that the device does not know."""
    return Check(Key.ILLEGAL_REQUEST, 0x26)


def number(command: bytes, offset: int, size: int) -> int:
    """A field of the command block."""
    return int.from_bytes(command[offset : offset + size])
