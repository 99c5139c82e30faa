"""Sizes, durations and times as people write them."""

import pytest

from tapekit.errors import UsageError
from tapekit.units import counted, duration_text, parse_size, size_text, time_text


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    (
        ("0", 0),
        ("4096", 4096),
        ("64K", 64 << 10),
        ("64M", 64 << 20),
        ("1.5GiB", 3 << 29),
        ("500GB", 500 * 10**9),
        ("2tb", 2 * 10**12),
        ("1T", 1 << 40),
        (" 7 MiB ", 7 << 20),
        ("12B", 12),
    ),
)
def test_sizes(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ("", "M", "-1", "1e9", "12 parsecs", "64 M B", "0x10", "\u0661M"))
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size_bytes", "text"), ((0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (60_817_408, "60.8 MB"), (10**16, "10.0 PB"))
)
def test_size_text(size_bytes: int, text: str) -> None:
    assert size_text(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"), ((0.04, "0.0 s"), (99, "99.0 s"), (720, "12 min"), (11_100, "3 h 05 min"))
)
def test_duration_text(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_time_that_no_calendar_has_is_still_shown() -> None:
    assert time_text(10**29) == f"@{10**20}"


def test_one_is_no_plural() -> None:
    assert [counted(count, "night") for count in (0, 1, 2)] == ["0 nights", "1 night", "2 nights"]
