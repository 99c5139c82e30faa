"""tapekit config: exit codes, answers, secrets, and a schema that says what the program says."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.config.files import GOOD

SYSTEM_PYTHON = "/usr/bin/python3"
JUDGE = """
import json, sys, jsonschema
schema, *documents = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
print(json.dumps([validator.is_valid(document) for document in documents]))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration in which everything is there."""
    (tmp_path / "source").mkdir()
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "marie.pub").touch()
    text = GOOD.replace("disk:/dev/disk/by-id/usb-TANDBERG_RDX", f"image:{tmp_path}/c.tkc")
    text = text.replace('spare = { url = "image:/srv/spare.tkc" }\n', "").replace("/srv/pharmacy", f"{tmp_path}/source")
    path = tmp_path / "good.toml"
    path.write_text(text.replace('kind = "postgresql"\nname = "pharmacy"', f'kind = "sqlite"\npath = "{path}"'))
    return path


def test_a_good_file(run: Run, file: Path) -> None:
    ran = run("--config", file, "config", "check")
    assert (ran.code, ran.out, ran.err) == (0, f"{file}: good: 1 job, 1 drive, 1 rotation\n", "")
    answer = run("--config", file, "config", "check", "--json").answer
    assert answer == {"file": str(file), "ok": True, "problems": [], "warnings": []}


def test_a_bad_file(run: Run, file: Path) -> None:
    file.write_text(file.read_text().replace("time =", "tiem =").replace('"fr"', '"de"'))
    ran = run("--config", file, "config", "check")
    assert (ran.code, ran.err.count("configuration:"), "hint: did you mean time?" in ran.err) == (2, 3, True)
    ran = run("--config", file, "config", "check", "--json")
    assert (ran.code, ran.answer["ok"], len(ran.answer["problems"])) == (2, False, 3)
    assert ran.answer["problems"][0] == {
        "line": 3, "field": "site.language", "why": "expected one of en, fr, got 'de'", "hint": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "field", "why"),
    (
        ("source", "sauce", "jobs.nightly.sources", "no such file"),
        ("c.tkc", "none/c.tkc", "drives.rdx", "no such folder"),
        ("image:/", "image:", "drives.rdx", "a relative path"),
        ("image:/", "virtual:", "drives.rdx", "a relative path"),
        ("image:", "disk:", "drives.rdx", "not connected"),
        ("image:", "floppy:", "drives.rdx", "no driver of that name"),
        ('["sync"]', '["no-such-program"]', "jobs.nightly.before", "no such program"),
        ('closed = ["sat", "sun"]', "", "jobs.nightly.rotation", "no cartridge for sat, sun"),
        ("[site]", '[keys]\ndirectory = "/none"\n[site]', "keys", "whoever has a cartridge can read it"),
        ("good.toml", "none.db", "jobs.nightly.databases", "no such file"),
        ('kind = "sqlite"\npath', 'kind = "postgresql"\nname = "x"\npassword_file', "jobs.nightly.databases", "others"),
        ('drive = "rdx"', 'drive = "rdx"\nspool = "/none/x"', "jobs.nightly.spool", "no such folder"),
        ("[pools", '[rotations.old]\nscheme="hanoi"\ncount=3\npool="daily"\n[pools', "rotations.old", "no job uses it"),
        ('url_env = "WEBHOOK"', 'url_file = "/none/x"', "notifications.always[2].url_file", "no such file"),
        ("always = [", "prometheus = '/x'\n#", "notifications", "nobody is told"),
    ),
)  # fmt: skip
def test_what_is_not_there_is_a_warning(run: Run, file: Path, old: str, new: str, field: str, why: str) -> None:
    assert old in file.read_text()
    file.chmod(0o644)
    file.write_text(file.read_text().replace(old, new, 1 if old != "source" else -1).replace("sauces =", "sources ="))
    ran = run("--config", file, "config", "check", "--json")
    assert ran.code == 3
    assert any(it["field"] == field and why in it["why"] for it in ran.answer["warnings"]), ran.answer
    assert f"{field}: " in run("--config", file, "config", "check").err


def test_a_virtual_drive_may_be_empty(run: Run, file: Path) -> None:
    text = file.read_text()
    file.write_text(text.replace("image:", "virtual:").replace("c.tkc", "changer-drive?generation=6"))
    ran = run("--config", file, "config", "check")
    assert (ran.code, ran.err) == (0, "")


def test_what_is_shown_can_be_read_again(run: Run, file: Path) -> None:
    shown = run("--config", file, "config", "show").out
    assert tomllib.loads(shown) == run("--config", file, "config", "show", "--json").answer
    file.write_text(shown.replace("…", "x"))
    assert run("--config", file, "config", "show").out == shown


@pytest.mark.parametrize("url", ("slack://XYZZY/b", "https://example.org/XYZZY", "mailto://example.org?x=XYZZY"))
def test_secrets_are_not_shown(run: Run, file: Path, url: str) -> None:
    file.write_text(file.read_text().replace("mailto://example.org?to=me", url))
    for command in (("show",), ("show", "--json"), ("check",)):
        ran = run("--config", file, "config", *command)
        assert (ran.code, "xyzzy" in (ran.out + ran.err).lower()) == (0, False)


def test_the_schema_accepts_what_the_program_accepts(run: Run) -> None:
    if subprocess.run([SYSTEM_PYTHON, "-c", "import jsonschema"], capture_output=True, check=False).returncode:
        pytest.skip("python3-jsonschema is not installed")
    schema = json.loads(run("config", "schema").out)
    assert schema["$schema"].endswith("2020-12/schema")
    bad = ("time =", "tiem ="), ('"fr"', '"de"'), ('"weekdays"', '"weekday"'), ('"sat"', '"sut"'), ('["sync"]', "[]")
    documents = [tomllib.loads(GOOD), *(tomllib.loads(GOOD.replace(*change)) for change in bad)]
    judged = subprocess.run(
        [SYSTEM_PYTHON, "-c", JUDGE], input=json.dumps([schema, *documents]), capture_output=True, text=True, check=True
    )
    assert json.loads(judged.stdout) == [True, *(False for _ in bad)]


@pytest.mark.parametrize("command", ("--version", "backup --help", "inspect office", "--help"))
def test_commands_start_without_what_they_do_not_need(tmp_path: Path, command: str) -> None:
    (tmp_path / "tapekit.toml").write_text('[drives]\noffice = "image:none.tkc"\n')
    script = (
        "import sys, atexit\n"
        "from tapekit.cli.main import main\n"
        "atexit.register(lambda: print(sorted({'pydantic', 'sqlalchemy'} & set(sys.modules)), file=sys.stderr))\n"
        f"sys.argv = ['tapekit', '--config', '{tmp_path}/tapekit.toml', *'{command}'.split()]\n"
        "main()\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.stderr.splitlines()[-1] == "[]"


def test_the_schemas_defaults_are_what_a_person_writes(run: Run) -> None:
    job = json.loads(run("config", "schema").out)["$defs"]["Job"]["properties"]
    assert (job["overdue_after"]["default"], job["wait"]["default"]) == ("2 days", "2 hours")
