"""A drive whose cartridge is a list of files, each a list of blocks, which tests look into and change as they like."""

import dataclasses
from collections.abc import Callable, Mapping

from drivers.base import Content, Health, Identity, Mark, MediumState, Position
from drivers.errors import EndOfData, MediumError


@dataclasses.dataclass
class ListFile:
    """A block that is an Exception is raised where it is read."""

    blocks: list[bytes | Exception] = dataclasses.field(default_factory=list)
    has_filemark: bool = True


class ListDrive:
    """See drivers.base.Drive. `before_write` is called with each block, before it is written."""

    url = "list:"

    def __init__(self, *files: list[bytes | Exception], content: Content = Content.CARTRIDGE) -> None:
        self.files = [ListFile(list(blocks)) for blocks in files]
        self.state = MediumState(present=True, content=content, remaining_bytes=1 << 30)
        self.before_write: Callable[[bytes], None] = lambda _block: None
        self.early_warning = False
        self.reads: list[tuple[int, int]] = []
        self._file = self._block = 0

    def identify(self) -> Identity:
        return Identity(self.url)

    def medium(self) -> MediumState:
        return self.state

    def format(self, front: Mapping[str, bytes]) -> None:
        self.erase()

    def write_block(self, block: "bytes | bytearray | memoryview") -> bool:
        data = bytes(block)
        self.before_write(data)
        if self._file == len(self.files):
            self.files.append(ListFile(has_filemark=False))
        assert not self.files[self._file].has_filemark
        self.files[self._file].blocks.append(data)
        self._block += 1
        return self.early_warning

    def write_filemark(self) -> None:
        if self._file == len(self.files):
            self.files.append(ListFile())
        self.files[self._file].has_filemark = True
        self._file, self._block = self._file + 1, 0

    def read_block(self) -> "bytes | Mark":
        if self._file == len(self.files):
            return Mark.END_OF_DATA
        file = self.files[self._file]
        if self._block == len(file.blocks):
            if not file.has_filemark:
                return Mark.END_OF_DATA
            self._file, self._block = self._file + 1, 0
            return Mark.FILEMARK
        self.reads.append((self._file, self._block))
        item = file.blocks[self._block]
        self._block += 1
        if isinstance(item, Exception):
            raise item
        return item

    def position(self) -> Position:
        return Position(self._file, self._block)

    def locate(self, file: int, block: int = 0) -> None:
        blocks = len(self.files[file].blocks) if 0 <= file < len(self.files) else 0
        place = block + blocks if block < 0 else block
        if not 0 <= file <= len(self.files) or not 0 <= place <= blocks:
            raise EndOfData(f"{self.url}: no block {block} in file {file}")
        self._file, self._block = file, place

    def rewind(self) -> None:
        self.locate(0)

    def to_end_of_data(self) -> None:
        last = self.files[-1] if self.files else None
        if last is not None and not last.has_filemark:
            self.locate(len(self.files) - 1, len(last.blocks))
        else:
            self.locate(len(self.files))

    def load(self) -> None:
        pass

    def eject(self) -> None:
        pass

    def lock(self, locked: bool) -> None:  # noqa: FBT001 - the contract's shape
        pass

    def erase(self) -> None:
        self.files, self._file, self._block = [], 0, 0

    def health(self) -> Health:
        return Health()

    def close(self) -> None:
        pass


def unreadable(file: int, block: int) -> MediumError:
    """What a drive says of a bad block."""
    return MediumError(f"list: block {block} of file {file}: unreadable", file, block)
