"""docs/configuration.md says what the classes say."""

import pytest

from tools import configuration_page
from tools.configuration_page import PAGE, page, tables


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text("utf-8")
    assert page(text) == text


def test_another_page_is_noticed() -> None:
    text = PAGE.read_text("utf-8")
    assert page(text.replace("| `retention` |", "| `keep` |")) == text
    with pytest.raises(ValueError, match="the line that begins"):
        page("")


def test_a_table_without_a_heading_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_page, "TABLES", configuration_page.TABLES[:-1])
    with pytest.raises(ValueError, match="no heading for Notification"):
        tables()
