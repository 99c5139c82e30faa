"""Binary layouts: a construct definition on one side, a frozen dataclass on the other.

A structure of fixed fields alone, as every header of a block is, is also read and written by one struct format that is
derived from its definition, in a tenth of the time. Whatever does not fit that goes to construct, which says why.
"""

import dataclasses
import functools
import struct as formats
from typing import Any, Generic, NamedTuple, TypeVar

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
        self._fixed = _fixed(struct, frozenset(self._fields))

    @functools.cached_property
    def size(self) -> int:
        """Bytes of the structure, where that is fixed."""
        return int(self.struct.sizeof())

    def build(self, value: T) -> bytes:
        """The bytes of `value`. Raises TooLarge where a value does not fit its field."""
        built = self._fixed.build(value) if self._fixed else None
        if built is not None:
            return built
        try:
            return bytes(self.struct.build({name: getattr(value, name) for name in self._fields}))
        except (cs.ConstructError, OverflowError, ValueError) as error:
            raise TooLarge(f"{self.name}: a value does not fit: {error}") from error

    def parse(self, data: "bytes | bytearray | memoryview") -> T:
        """The value that `data` begins with. Raises Damaged where the bytes are not this structure."""
        found = self._fixed.parse(data) if self._fixed else None
        if found is not None:
            return self.value_type(**found)
        try:
            parsed: Any = self.struct.parse(data)
            return self.value_type(**{name: parsed[name] for name in self._fields})
        except (cs.ConstructError, OverflowError, ValueError, MemoryError) as error:
            raise Damaged(f"{self.name}: {_reason(error)}") from error


_ANY = "any"
"""In place of a constant: a field that is no part of the value, as a checksum; struct does not take it for one."""


class _Fixed(NamedTuple):
    """A structure as one struct format: each field's name, or the constant that stands in its place."""

    format: formats.Struct
    fields: tuple[tuple[str, Any], ...]
    sizes: tuple[tuple[str, int], ...]
    """Of the fields that are bytes, which struct would cut or fill up."""

    def build(self, value: Any) -> bytes | None:  # noqa: ANN401 - a value of the layout's type
        """The bytes; None where something does not fit."""
        if any(len(getattr(value, name)) != size for name, size in self.sizes):
            return None
        try:
            return self.format.pack(*[getattr(value, name) if name else constant for name, constant in self.fields])
        except formats.error:
            return None

    def parse(self, data: "bytes | bytearray | memoryview") -> dict[str, Any] | None:
        """The fields; None where the bytes are not this structure."""
        if len(data) < self.format.size:
            return None
        found = {}
        for (name, constant), value in zip(self.fields, self.format.unpack_from(data), strict=True):
            if name:
                found[name] = value
            elif constant is not _ANY and value != constant:
                return None
        return found


def _fixed(struct: "cs.Struct", names: frozenset[str]) -> _Fixed | None:
    """The struct format of a definition; None where it has any but integers, bytes of a fixed size, and constants."""
    format_, fields, sizes = ">", list[tuple[str, Any]](), list[tuple[str, int]]()
    for renamed in struct.subcons:
        field: Any = getattr(renamed, "subcon", None)
        name, constant = renamed.name or "", None
        if isinstance(field, cs.Const):
            field, name, constant = field.subcon, "", field.value
        elif name not in names:
            name, constant = "", _ANY
        if isinstance(field, cs.FormatField) and field.fmtstr.startswith(">"):
            format_ += field.fmtstr[1:]
        elif isinstance(field, cs.Bytes) and isinstance(field.length, int):
            format_ += f"{field.length}s"
            if name:
                sizes.append((name, field.length))
        else:
            return None
        fields.append((name, constant))
    return _Fixed(formats.Struct(format_), tuple(fields), tuple(sizes))


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
