"""What a suite found, as a table for people and as JSON for programs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from rich.console import Console
from rich.table import Table

from tools.benchmarks.data import DataSet
from tools.benchmarks.measure import Sample

MB = 1_000_000
MIB = 2**20


@dataclass(frozen=True)
class Target:
    """Something that tapekit should reach.

    Args:
        what: In words, with the figure wanted.
        got: The figure measured, in words; None where something that it needs did not run.
        met: Whether it is reached.
        reached: 1 where it is just met, 2 where it is twice as good, for a picture; None where that says nothing.
    """

    what: str
    got: str | None
    met: bool
    reached: float | None = None


@dataclass(frozen=True)
class Grid:
    """A table whose cells are words.

    Args:
        title: What it shows.
        columns: Their heads.
        rows: As many cells each.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass
class Result:
    """What a suite found.

    Args:
        suite: Its name.
        baseline: The contender that others are compared with in the table.
        baseline_step: What it does meanwhile; the same as they, where nothing is said.
        data: The data sets.
        samples: All measurements.
        grids: Tables of other shapes than those of `data` and `samples`.
        targets: What should be reached, and whether it is.
        wrong: Results of tapekit's that are not right. Anything here fails the run.
        notes: What did not run, and why.
    """

    suite: str
    baseline: str
    data: list[DataSet] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    baseline_step: str = ""

    def wall_s(self, data: DataSet, contender: str, step: str = "backup") -> float | None:
        """Return the median wall time of one step, or None where it did not run."""
        found = [sample.cost.wall_s for sample in self._of(data, contender, step)]
        return median(found) if found else None

    def peak_bytes(self, contenders: Iterable[str]) -> int | None:
        """Return the largest peak of all steps of some contenders, or None where none of them ran."""
        wanted = set(contenders)
        return max((sample.cost.peak_bytes for sample in self.samples if sample.contender in wanted), default=None)

    def cpu_share(self, contender: str) -> float | None:
        """Return how much of a core a contender got while it ran, or None where it did not run."""
        costs = [sample.cost for sample in self.samples if sample.contender == contender]
        return sum(cost.cpu_s for cost in costs) / sum(cost.wall_s for cost in costs) if costs else None

    def _of(self, data: DataSet, contender: str, step: str) -> list[Sample]:
        key = (data.name, contender, step)
        return [sample for sample in self.samples if (sample.data, sample.contender, sample.step) == key]


def print_result(result: Result, console: Console) -> None:
    """Print tables, targets, notes and what is wrong."""
    for data in result.data:
        console.print(_table(result, data))
    for grid in result.grids:
        console.print(_grid(grid))
    for target in result.targets:
        state = "not measured" if target.got is None else "pass" if target.met else "SHORT"
        console.print(f"{state:12}  {target.what}" + ("" if target.got is None else f": {target.got}"))
    for note in result.notes:
        console.print(f"note: {note}")
    for wrong in result.wrong:
        console.print(f"WRONG: {wrong}")


def _table(result: Result, data: DataSet) -> Table:
    table = Table(title=f"{data.name}: {data.size_bytes / MB:,.0f} MB", title_justify="left")
    table.add_column("what")
    for column in ("wall s", "min - max", "MB/s", f"time ÷ {result.baseline}'s", "CPU s", "peak MiB", "stored MB"):
        table.add_column(column, justify="right")
    steps = dict.fromkeys((each.step, each.contender) for each in result.samples if each.data == data.name)
    for step, contender in sorted(steps, key=lambda key: key[0] != "backup"):
        samples = [
            each for each in result.samples if (each.data, each.step, each.contender) == (data.name, step, contender)
        ]
        table.add_row(
            f"{contender}: {step}", *_cells(samples, result.wall_s(data, result.baseline, result.baseline_step or step))
        )
    return table


def _grid(grid: Grid) -> Table:
    table = Table(title=grid.title, title_justify="left")
    for number, column in enumerate(grid.columns):
        table.add_column(column, justify="right" if number else "left")
    for row in grid.rows:
        table.add_row(*row)
    return table


def _cells(samples: Sequence[Sample], baseline_s: float | None) -> Iterable[str]:
    walls = [sample.cost.wall_s for sample in samples]
    stored = [sample.stored_bytes for sample in samples if sample.stored_bytes is not None]
    yield f"{median(walls):.2f}"
    yield f"{min(walls):.2f} - {max(walls):.2f}"
    yield f"{samples[0].source_bytes / MB / median(walls):,.0f}"
    yield f"{median(walls) / baseline_s:.2f}" if baseline_s is not None else ""
    yield f"{median(sample.cost.cpu_s for sample in samples):.2f}"
    yield f"{max(sample.cost.peak_bytes for sample in samples) / MIB:,.0f}"
    yield f"{median(stored) / MB:,.1f}" if stored else ""
