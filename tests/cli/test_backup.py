"""`tapekit backup`: what it builds upon, and when it does not."""

from pathlib import Path

from tests.cli.conftest import Run


def test_an_archive_that_stays_alone_is_whole_and_not_built_upon(run: Run, source: Path, tmp_path: Path) -> None:
    url = f"image:{tmp_path}/c.tkc"
    assert run("label", url, "--size", "16M", "--block-size", "64K").code == 0
    alone = [run("backup", url, source, "--no-incremental", "--json").answer for _ in range(2)]
    assert [(answer["base"], answer["changed_bytes"], answer["why_full"]) for answer in alone] == [(None, 6, "")] * 2
    assert not (tmp_path / "state" / "deltas").exists()
    first = run("backup", url, source, "--json").answer
    assert first["base"] is None
    run("backup", url, source, "--no-incremental")
    assert run("backup", url, source, "--json").answer["base"] == first["archive"]
