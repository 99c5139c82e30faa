"""Any sequence of operations, against a list of lists."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from drivers.base import Identity, Mark, Position
from drivers.errors import EndOfData, EndOfMedium
from drivers.recordlog.drive import RecordLogDrive
from fixtures.storage import MemoryStorage

SIZE_BYTES = (6 << 20) + (64 << 10)


class DriveModel(RuleBasedStateMachine):
    """`files` are those with a filemark, `tail` the blocks behind the last, `file` and `block` the position."""

    def __init__(self) -> None:
        super().__init__()
        self.content = bytearray(SIZE_BYTES)
        self.files: list[list[bytes]] = []
        self.tail: list[bytes] = []
        self.file = self.block = 0
        self.written = 0

    @initialize()
    def format(self) -> None:
        self.open()
        self.drive.format({"README.txt": b"a cartridge"})

    def open(self) -> None:
        self.drive = RecordLogDrive("memory:", Identity("memory"), MemoryStorage(self.content))

    def blocks_of(self, file: int) -> list[bytes]:
        return self.files[file] if file < len(self.files) else self.tail

    def forget_behind(self) -> None:
        self.tail = self.blocks_of(self.file)[: self.block]
        del self.files[self.file :]

    @rule(size=st.sampled_from((1, 500, 4032, 4033, 12_000, 70_000)))
    def write_block(self, size: int) -> None:
        block = (b"%08d" % self.written * (size // 8 + 1))[:size]
        self.written += 1
        try:
            self.drive.write_block(block)
        except EndOfMedium:
            return
        self.forget_behind()
        self.tail.append(block)
        self.block += 1

    @rule()
    def write_filemark(self) -> None:
        try:
            self.drive.write_filemark()
        except EndOfMedium:
            return
        self.forget_behind()
        self.files.append(self.tail)
        self.tail = []
        self.file, self.block = self.file + 1, 0

    @rule()
    def read_block(self) -> None:
        found = self.drive.read_block()
        blocks = self.blocks_of(self.file)
        if self.block < len(blocks):
            assert found == blocks[self.block]
            self.block += 1
        elif self.file < len(self.files):
            assert found is Mark.FILEMARK
            self.file, self.block = self.file + 1, 0
        else:
            assert found is Mark.END_OF_DATA

    @rule(file=st.integers(0, 6), block=st.integers(-4, 6))
    def locate(self, file: int, block: int) -> None:
        blocks = len(self.blocks_of(file)) if file <= len(self.files) else -1
        wanted = block if block >= 0 else blocks + block
        if 0 <= wanted <= blocks:
            self.drive.locate(file, block)
            self.file, self.block = file, wanted
            return
        try:
            self.drive.locate(file, block)
        except EndOfData:
            return
        raise AssertionError(f"located block {block} of file {file}")

    @rule()
    def to_end_of_data(self) -> None:
        self.drive.to_end_of_data()
        self.file, self.block = len(self.files), len(self.tail)

    @rule()
    def reopen(self) -> None:
        self.drive.close()
        self.open()
        self.file = self.block = 0

    @invariant()
    def stands_where_the_model_stands(self) -> None:
        if hasattr(self, "drive"):
            assert self.drive.position() == Position(self.file, self.block)

    def teardown(self) -> None:
        self.open()
        found: list[list[bytes]] = [[]]
        while (block := self.drive.read_block()) is not Mark.END_OF_DATA:
            if isinstance(block, bytes):
                found[-1].append(block)
            else:
                found.append([])
        assert found == [*self.files, self.tail]


TestDriveModel = DriveModel.TestCase
TestDriveModel.settings = settings(max_examples=60, stateful_step_count=30)
