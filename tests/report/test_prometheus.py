import dataclasses
import re
from pathlib import Path

import pytest

from tapekit.report.night import SourceSize
from tapekit.report.prometheus import JobState, NeverRun, metrics, write
from tests.report import nights

LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"([a-z_]+)\{{((?:{LABEL},?)*)\}} ([0-9.e+-]+)")


def parse(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """A strict reader of the exposition format: HELP and TYPE before the samples of a name, each name in one place."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    name, seen = "", set()
    for number, line in enumerate(lines):
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in seen
            seen.add(name)
            assert lines[number + 1] == f"# TYPE {name} gauge"
        elif not line.startswith("# TYPE "):
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == name
            labels = {
                key: re.sub(r"\\(.)", lambda escape: {"n": "\n"}.get(escape[1], escape[1]), value)
                for key, value in re.findall(LABEL, match[2])
            }
            key = (name, frozenset(labels.items()))
            assert key not in found
            found[key] = float(match[5])
    return found


def value(text: str, name: str, **labels: str) -> float:
    every = {"site": "Pharmacie du Port", "job": "nightly", **labels}
    return parse(text)[f"tapekit_{name}", frozenset(every.items())]


def test_the_metrics_of_a_clean_night() -> None:
    text = metrics([JobState(nights.CLEAN, nights.CLEAN.ended)])
    assert value(text, "last_success_timestamp_seconds") == nights.CLEAN.ended.timestamp()
    assert value(text, "last_evidence_rung") == 4
    assert value(text, "last_outcome", outcome="clean") == 1
    assert value(text, "last_outcome", outcome="failed") == 0
    assert value(text, "last_step_duration_seconds", step="read_back") == 980
    assert value(text, "source_bytes", source="pharmacy") == 9 * 10**9
    assert value(text, "last_stored_bytes") == 38 * 10**9
    assert value(text, "overdue") == 0


def test_a_failed_night_leaves_the_last_success_where_it_was() -> None:
    text = metrics([JobState(nights.FAILED, None, is_overdue=True)])
    assert value(text, "last_success_timestamp_seconds") == 0
    assert value(text, "last_evidence_rung") == 0
    assert value(text, "last_exit_code") == 4
    assert value(text, "overdue") == 1


def test_a_job_that_never_ran_is_overdue() -> None:
    text = metrics([JobState(nights.CLEAN, nights.CLEAN.ended), NeverRun("Pharmacie du Port", "new")])
    assert (value(text, "overdue", job="new"), value(text, "last_success_timestamp_seconds", job="new")) == (1, 0)
    assert len([key for key in parse(text) if ("job", "new") in key[1]]) == 2


def test_several_jobs_stand_under_one_name() -> None:
    other = dataclasses.replace(nights.SPOOLED, job="hourly")
    text = metrics([JobState(nights.CLEAN, None), JobState(other, None)])
    assert value(text, "spooled_nights", job="hourly") == 2


@pytest.mark.parametrize("name", ('a"b', "a\\b", "a\nb 1", "\\n", "{}", "caf\udce9", "été"))
def test_hostile_names_stay_values(name: str) -> None:
    report = dataclasses.replace(nights.CLEAN, sizes=(SourceSize(name, 7),))
    expected = name.encode("utf-8", "replace").decode()
    assert value(metrics([JobState(report, None)]), "source_bytes", source=expected) == 7


def test_the_file_is_replaced_at_once_and_readable(tmp_path: Path) -> None:
    path = tmp_path / "collector" / "tapekit.prom"
    write(path, [JobState(nights.FAILED, None)])
    write(path, [JobState(nights.CLEAN, None)])
    assert value(path.read_text(), "last_exit_code") == 0
    assert [entry.name for entry in path.parent.iterdir()] == ["tapekit.prom"]
    assert path.stat().st_mode & 0o777 == 0o644
