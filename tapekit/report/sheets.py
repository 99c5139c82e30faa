"""Sheets of labels, and what stands on a label; drawn by `tapekit.report.labels`."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A sheet of labels on A4, in millimetres: as many columns and rows as there are, from the upper left."""

    title: str
    columns: int
    rows: int
    width: float
    height: float
    left: float
    top: float
    column_step: float
    row_step: float
    is_cut: bool = False
    """Plain paper: a hairline says where to cut."""

    @property
    def places(self) -> int:
        """Labels on a sheet."""
        return self.columns * self.rows


SHEETS = (
    ("l7160", Sheet("Avery L7160: 21 labels of 63.5 × 38.1 mm", 3, 7, 63.5, 38.1, 7.2, 15.1, 66.04, 38.1)),
    ("l7163", Sheet("Avery L7163: 14 labels of 99.1 × 38.1 mm", 2, 7, 99.1, 38.1, 4.65, 15.15, 101.6, 38.1)),
    ("l7651", Sheet("Avery L7651: 65 labels of 38.1 × 21.2 mm", 5, 13, 38.1, 21.2, 4.75, 10.7, 40.6, 21.2)),
    ("lto", Sheet("LTO spine labels, to be cut: 30 of 78 × 15.9 mm", 2, 15, 78, 15.9, 24, 22, 84, 17, is_cut=True)),
)
"""Sheets by the name that a command takes; sizes are those that the makers print on the pack."""


@dataclasses.dataclass(frozen=True)
class Label:
    """What stands on a label."""

    name: str
    pool: str = ""
