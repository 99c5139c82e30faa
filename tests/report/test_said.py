"""What commands say in the site's language."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import tapekit
from tapekit.report.french import FRENCH
from tapekit.report.said import in_language, said


def templates() -> Iterator[str]:
    """Every sentence that is made anywhere."""
    for path in Path(tapekit.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "said":
                first = node.args[0]
                assert isinstance(first, ast.Constant), f"{path}: {ast.unparse(node)}"
                yield str(first.value)


def test_every_sentence_has_its_french_and_no_other() -> None:
    assert set(templates()) == set(FRENCH)


def test_both_languages_name_the_same_values() -> None:
    for english, french in FRENCH.items():
        assert set(re.findall("{.*?}", english)) == set(re.findall("{.*?}", french)), english
        assert french, english


def test_it_is_english_until_somebody_asks_for_another() -> None:
    told = said("the kernel's {name} driver does not have this {kind}", name="st", kind=said("tape drive"))
    assert told == "the kernel's st driver does not have this tape drive"
    assert in_language(told, "en") == told
    assert in_language(told, "fr") == "le pilote st du noyau n’a pas pris en charge\N{NO-BREAK SPACE}: lecteur de bande"
    assert in_language("as it came", "fr") == "as it came"


def test_braces_of_others_stay_as_they_are() -> None:
    assert said("{cartridge} is in", cartridge="{why}") == "{why} is in"
