import re
from pathlib import Path

from tapekit.report.notify import ATTEMPTS, KEPT
from tapekit.report.prometheus import metrics

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reports.md").read_text("utf-8")


def test_every_metric_is_documented_and_no_other() -> None:
    documented = re.findall(r"^\| `(tapekit_\w+)`", DOCUMENT, re.MULTILINE)
    assert documented == re.findall(r"^# TYPE (\w+)", metrics([]), re.MULTILINE)


def test_the_numbers_of_sending_are_those_of_the_program() -> None:
    assert f"the latest {KEPT}" in DOCUMENT
    assert ("tried three times" in DOCUMENT) == (ATTEMPTS == 3)
