"""English sentences that know how they are said in French: what commands tell of devices, machines and shelves.

A sentence is made with `said("only {size} are free", size="3 MB")` and is plain English text wherever it goes; the one
who shows it asks for the site's language. What comes from elsewhere (errors, names) is shown as it came.
"""

import re

from tapekit.report.french import FRENCH
from tapekit.rotation.words import unbroken

_VALUE = re.compile(r"\{(\w+)\}")


class Said(str):
    """English; `template` and `values` are what it was made of."""

    __slots__ = ("template", "values")
    template: str
    values: dict[str, str]


def said(template: str, **values: str) -> Said:
    """A sentence. Its template is in FRENCH (tests/report/test_said.py sees to it)."""
    text = Said(_filled(template, values))
    text.template, text.values = template, values
    return text


def in_language(text: str, language: str) -> str:
    """The text in a language, where it is a sentence of ours; else as it is."""
    if language != "fr" or not isinstance(text, Said):
        return str(text)
    values = {name: in_language(value, language) for name, value in text.values.items()}
    return _filled(unbroken(FRENCH[text.template]), values)


def _filled(template: str, values: dict[str, str]) -> str:
    return _VALUE.sub(lambda found: values.get(found[1], found[0]), template)
