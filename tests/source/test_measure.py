"""The quick look at a source before it is saved."""

from pathlib import Path

from tapekit.source.measure import measure
from tapekit.source.walk import plan_sources


def test_every_regular_file_counts_once_and_holes_do_not(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "one").write_bytes(bytes(range(100)) * 10)
    (below / "two").write_bytes(b"x" * 5000)
    (below / "link").symlink_to("two")
    with (below / "hole").open("wb") as hole:
        hole.truncate(1 << 30)
    assert measure(plan_sources([str(tmp_path)])) == 6000
    assert measure(plan_sources([str(below / "two"), str(tmp_path / "absent")])) == 5000
