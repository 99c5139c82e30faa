"""Binary layouts: a construct definition on one side, a frozen dataclass on the other."""

import dataclasses
from typing import Any, Generic, TypeVar

import construct as cs

from formats.errors import Damaged, TooLarge

T = TypeVar("T")


class Layout(Generic[T]):
    """One binary structure, in both directions.

    The construct fields whose names are fields of `value_type` carry its values; the others (magics, reserved bytes)
    are constants. This is the one place where construct's errors become this package's.
    """

    def __init__(self, name: str, value_type: type[T], struct: "cs.Struct") -> None:
        """Pair the dataclass `value_type` with `struct`; `name` is what error messages call it."""
        self.name = name
        self.value_type = value_type
        self.struct = struct
        self._fields = [field.name for field in dataclasses.fields(value_type)]  # type: ignore[arg-type]

    @property
    def size(self) -> int:
        """Bytes of the structure, where that is fixed."""
        return int(self.struct.sizeof())

    def build(self, value: T) -> bytes:
        """The bytes of `value`. Raises TooLarge where a value does not fit its field."""
        try:
            return bytes(self.struct.build({name: getattr(value, name) for name in self._fields}))
        except (cs.ConstructError, OverflowError, ValueError) as error:
            raise TooLarge(f"{self.name}: a value does not fit: {error}") from error

    def parse(self, data: "bytes | bytearray | memoryview") -> T:
        """The value that `data` begins with. Raises Damaged where the bytes are not this structure."""
        try:
            parsed: Any = self.struct.parse(data)
            return self.value_type(**{name: parsed[name] for name in self._fields})
        except (cs.ConstructError, OverflowError, ValueError, MemoryError) as error:
            raise Damaged(f"{self.name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Which field construct could not parse, and why, in at most a line."""
    field = str(getattr(error, "path", None) or "").rpartition("-> ")[2]
    if field.startswith("reserved"):
        return f"{field}: not zero"
    lines = [line for line in str(error).splitlines() if line and "(parsing)" not in line]
    why = lines[0].removeprefix("parsing ") if lines else type(error).__name__
    return f"{field}: {why:.120}" if field else f"{why:.120}"


def reserved(size: int) -> "cs.Construct[Any, Any]":
    """`size` bytes that must be zero, so that a later version may use them."""
    return cs.Const(bytes(size))
