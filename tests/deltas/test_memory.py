"""A file of a terabyte is compared, brought together and restored in memory that does not grow with it."""

from pathlib import Path

import pytest

from tests.peak import peak_mib

MOST_MIB = 300 - 60
"""Beyond the interpreter and the modules of a process."""
GIB_PAGES = (1 << 30) // 8192
TERABYTE_EXTENTS = 2_700_000
"""Where one page in a hundred changed here and there, as many as a chain of three may have."""


def held_mib(path: Path, what: str) -> float:
    held, outcome = peak_mib(path, f"__import__('tests.deltas.large', fromlist=['']).{what}", reads=False)
    assert outcome == "ok"
    return held


def test_a_comparison_holds_as_little_of_a_large_file_as_of_a_small_one(tmp_path: Path) -> None:
    assert held_mib(tmp_path, f"compare(sys.argv[1], {4 * GIB_PAGES})") < 64


@pytest.mark.long
def test_a_comparison_of_256_gib_holds_no_more_than_one_of_64(tmp_path: Path) -> None:
    less, more = (held_mib(tmp_path, f"compare(sys.argv[1], {size * GIB_PAGES})") for size in (64, 256))
    assert more < less + 4
    assert more < MOST_MIB


@pytest.mark.long
@pytest.mark.parametrize("reader", ("resolve", "resolve_by_the_kit"))
def test_a_chain_over_a_terabyte_is_resolved(tmp_path: Path, reader: str) -> None:
    assert held_mib(tmp_path, f"{reader}(3, {TERABYTE_EXTENTS})") < MOST_MIB
