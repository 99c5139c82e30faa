"""Parity at the command line: on unasked, corrected and said, refused where there is no room for it."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.jobs.cartridges import places


@pytest.fixture
def parity(run: Run, source: Path, tmp_path: Path) -> str:
    """A cartridge with one archive, whose header is damaged."""
    url = f"image:{tmp_path}/p.tkc"
    assert run("label", url, "--size", "16M", "--block-size", "64K", "--barcode", "PAR-1").code == 0
    saved = run("backup", url, source)
    assert saved.code == 0
    assert "parity: " in saved.out
    header = next(place for place in places(tmp_path / "p.tkc") if place.file == 2)
    with (tmp_path / "p.tkc").open("r+b") as image:
        image.seek(header.content + 200)
        image.write(b"damage")
    return url


@pytest.mark.parametrize("command", ("verify", "list", "restore", "export"))
def test_what_was_corrected_is_said(run: Run, parity: str, tmp_path: Path, command: str) -> None:
    more = ["--to", tmp_path / "to"] if command == "restore" else []
    ran = run(command, parity, *more)
    assert ran.code == 3
    assert "corrected:\n  block 0 of file 2 (header): " in ran.err
    assert "DAMAGED" not in ran.out


def test_verify_for_programs(run: Run, parity: str) -> None:
    ran = run("verify", parity, "--json")
    assert (ran.code, ran.answer["ok"], ran.answer["bad_blocks"]) == (3, True, 0)
    (corrected,) = ran.answer["corrected"]
    assert (corrected["file"], corrected["block"], corrected["kind"]) == (2, 0, "header")
    assert ran.answer["archives"][0]["corrected_blocks"] == 1


def test_a_cartridge_too_small_for_it(run: Run, source: Path, tmp_path: Path) -> None:
    url = f"image:{tmp_path}/small.tkc"
    assert run("label", url, "--size", "32M", "--block-size", "1M").code == 0
    ran = run("backup", url, source, "--parity")
    assert ran.code == 3
    assert "no parity: the cartridge is too small for it" in ran.out
    assert run("backup", url, source).code == 0
    assert run("backup", url, source, "--json").answer["parity_bytes"] is None


def test_repair(run: Run, parity: str, tmp_path: Path) -> None:
    """The damaged block is good on the medium again, and nothing else was touched."""
    damaged = (tmp_path / "p.tkc").read_bytes()
    ran = run("verify", parity, "--repair")
    assert ran.code == 3
    assert "repaired, and read back: 1 block" in ran.out
    ran = run("verify", parity)
    assert (ran.code, ran.err) == (0, "")
    repaired = (tmp_path / "p.tkc").read_bytes()
    changed = [place for place in range(len(damaged)) if damaged[place] != repaired[place]]
    assert 0 < len(changed) <= len(b"damage")
    assert changed[-1] - changed[0] < len(b"damage")


def test_scrub(run: Run, parity: str) -> None:
    ran = run("scrub", parity)
    assert ran.code == 3
    assert "    file 2  c..." in ran.out
    assert "1 corrected, 0 lost" in ran.out
    assert "block 0 of file 2 (header)" in ran.err
    ran = run("scrub", parity, "--json")
    assert ran.answer.keys() == {
        "at", "cartridge", "name", "drive", "serial", "blocks", "corrected", "lost", "read_bytes", "duration_s",
        "bytes_per_s", "retries", "remaining_bytes", "advice", "why", "map", "corrected_blocks", "lost_blocks",
        "before",
    }  # fmt: skip
    assert (ran.answer["corrected"], len(ran.answer["before"])) == (1, 1)
    assert run("verify", parity, "--repair").code == 3
    ran = run("scrub", parity)
    assert (ran.code, "good: every block" in ran.out) == (0, True)


def test_inspect_tells_what_scrubs_found(run: Run, parity: str) -> None:
    assert "scrubbed" not in run("inspect", parity).out
    assert (run("inspect", parity, "--json").answer["scrubs"], run("scrub", parity).code) == ([], 3)
    assert run("verify", parity, "--repair").code == 3
    assert run("scrub", parity).code == 0
    out = run("inspect", parity).out
    assert [line.split(": ")[1].split(",")[0] for line in out.splitlines() if line.startswith("scrubbed ")] == [
        "1 corrected", "0 corrected",
    ]  # fmt: skip
    assert "advice     good: every block was read as it was written" in out
    answer = run("inspect", parity, "--json").answer
    assert (answer["advice"], [each["corrected"] for each in answer["scrubs"]]) == ("good", [1, 0])
