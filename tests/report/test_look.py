"""Pages as a browser draws them; where Chromium is not installed the tests skip."""

import shutil
import subprocess
from datetime import UTC
from pathlib import Path

import PIL.Image
import pytest

from tapekit.report.html import page
from tests.report import nights

GREEN = (0x3F, 0x9B, 0x5F)
"""What a compared night looks like in the calendar."""


@pytest.mark.parametrize(("language", "count", "width"), (("en", 365, 1000), ("fr", 30, 1000), ("fr", 365, 500)))
def test_a_browser_draws_the_page_and_nothing_sticks_out(tmp_path: Path, language: str, count: int, width: int) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("Chromium is not installed")
    source, picture = tmp_path / "night.html", tmp_path / "night.png"
    source.write_text(page(nights.WARNINGS, nights.year(count), language, UTC))
    subprocess.run(
        (
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},3000",
            f"--screenshot={picture}", source.as_uri(),
        ),
        check=True,
        capture_output=True,
    )  # fmt: skip
    with PIL.Image.open(picture) as drawn:
        pixels = drawn.convert("RGB")
    assert pixels.width == width
    green = sum(count for count, colour in pixels.getcolors(1 << 24) or () if colour == GREEN)
    nights_drawn = green / (22 * 22)
    assert nights_drawn > count / 10
    # The page's own margin: nothing is drawn into it, at any width.
    edges = [pixels.crop(box) for box in ((0, 0, 12, 3000), (width - 12, 0, width, 3000))]
    assert [len(edge.getcolors(1 << 24) or ()) for edge in edges] == [1, 1]
