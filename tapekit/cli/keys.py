"""`tapekit keys`: who can open what is written."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from formats import publickey
from formats.publickey import SITE, PublicKeyLine
from tapekit.cli.common import drive_argument, json_option, opened, places_of, print_json, state_of
from tapekit.cli.hand import key_in_hand, key_option, passphrase_option, person
from tapekit.cli.tables import show_table
from tapekit.errors import Exit, UsageError
from tapekit.jobs import keys as jobs
from tapekit.jobs.keys import PRINTED, Made, Private
from tapekit.keys import proof, ring
from tapekit.keys.site import site_key

LIST = ("name", "role", "number", "proven", "file")
THIS_SITE = "site"
"""In place of a name: this site's own signing key."""

name_argument = click.argument("name")
file_option = click.option(
    "--file", "file", type=click.Path(path_type=Path), help="Key file to write, under a passphrase; on a stick."
)
paper_option = click.option(
    "--paper", type=click.Path(path_type=Path), metavar="FILE", help="Paper key to write: .pdf or .txt; - prints text."
)
public_option = click.option(
    "--public", type=click.Path(path_type=Path), metavar="FILE", help="Write the public half there: for another site."
)
language_option = click.option("--language", type=click.Choice(("en", "fr")), help="Language of the paper key.")


@click.group("keys")
def command() -> None:
    """Make keys, and say whose keys open what is written from now on.

    The site keeps public keys only: it writes what it cannot read.
    """


@command.command("new")
@click.argument("role", type=click.Choice(publickey.ROLES))
@name_argument
@file_option
@paper_option
@public_option
@passphrase_option
@language_option
@json_option
@click.pass_context
def new_command(
    context: click.Context, role: str, name: str, file: Path | None, paper: Path | None, public: Path | None,
    passphrase_from: str, language: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Make a key pair for NAME.

    owner and recovery open everything; technician opens the lists of files, and nothing in them. The private half is
    written once, to --file, --paper or both; the public half joins the site's keys.
    """
    places = places_of(context)
    private = Private(file, paper, passphrase_from, language or places.language)
    made = jobs.new(role, name, private, person(), places, public)
    if public is None and not as_json:
        click.echo(f"public half: {made.public}: what is written from now on opens with this key", err=True)
    _tell(made, private, as_json=as_json)


@command.command("test")
@drive_argument
@key_option
@passphrase_option
@json_option
@click.pass_context
def test_command(context: click.Context, drive: str, key: str | None, passphrase_from: str, as_json: bool) -> None:
    """Show that a private key opens the cartridge in DRIVE. It reads no data, and takes seconds; the date is kept."""
    if key is None:
        raise UsageError("keys: which one?", "--key FILE, or --key paper")
    with opened(context, drive) as device, key_in_hand(key, passphrase_from) as pair:
        done = jobs.test(device, pair, places_of(context), state_of(context))
    if as_json:
        print_json(_json(done.line) | {
            "cartridge": done.cartridge, "archive": done.archive or None, "job": done.job or None,
            "started": done.started or None, "at": done.at,
        })  # fmt: skip
        return
    opens = "everything" if done.line.role in ring.OPEN_DATA else "the list of files"
    what = f"{opens} of archive {done.archive[:8]} ({done.job}, {done.started})" if done.archive else "the cartridge"
    click.echo(f"the key of {done.line.name} opens {done.cartridge}: {what}")


@command.command("rotate")
@name_argument
@file_option
@paper_option
@passphrase_option
@language_option
@json_option
@click.pass_context
def rotate_command(
    context: click.Context, name: str, file: Path | None, paper: Path | None, passphrase_from: str,
    language: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Put a new key in the place of NAME's: from the next night on.

    What is written already still opens with the old one, and with no other: keep it as long as those cartridges.
    """
    places = places_of(context)
    private = Private(file, paper, passphrase_from, language or places.language)
    made = jobs.rotate(name, private, person(), places)
    if not as_json:
        click.echo("what is written already opens with the old key only: keep it too", err=True)
    _tell(made, private, as_json=as_json)


@command.command("import")
@click.option("--key", required=True, metavar="FILE", help="Key file, or the word paper: then the words are typed.")
@file_option
@paper_option
@passphrase_option
@click.option("--new-passphrase-from", default="prompt", show_default=True, metavar="WHERE", help="Of the new file.")
@language_option
@json_option
@click.pass_context
def import_command(
    context: click.Context, key: str, file: Path | None, paper: Path | None, passphrase_from: str,
    new_passphrase_from: str, language: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Write a private key anew: from paper to a file, from a file to paper, or under another passphrase."""
    places = places_of(context)
    private = Private(file, paper, new_passphrase_from, language or places.language)
    private.check()
    with key_in_hand(key, passphrase_from) as pair:
        _tell(jobs.take_over(pair, private, person(), places), private, as_json=as_json)


@command.command("list")
@json_option
@click.pass_context
def list_command(context: click.Context, as_json: bool) -> None:
    """List the keys of this site, and when each was last proven to open a cartridge."""
    found = ring.read(places_of(context).keys)
    known = proof.proven(state_of(context))
    answer = [
        _json(entry.line) | {"file": str(entry.path), "proven": _proven(entry.line, known)} for entry in found.entries
    ]
    if as_json:
        print_json({"directory": str(found.directory), "keys": answer, "problems": list(found.problems)})
    else:
        rows = [
            (key["name"], key["role"], key["key"][:8], _shown(key["proven"]), Path(key["file"]).name) for key in answer
        ]
        show_table(LIST, rows, f"no keys in {found.directory}: whoever holds a cartridge can read it")
        for problem in found.problems:
            click.echo(f"tapekit: {problem}", err=True)
    if found.problems:
        context.exit(Exit.WARNINGS)


@command.command("show")
@name_argument
@json_option
@click.pass_context
def show_command(context: click.Context, name: str, as_json: bool) -> None:
    """Show a key of this site: whose it is, its number, its public half. NAME may be the beginning of the number."""
    entry = ring.read(places_of(context).keys).named(name)
    at = _proven(entry.line, proof.proven(state_of(context)))
    if as_json:
        print_json(_json(entry.line) | {"file": str(entry.path), "proven": at, "public": publickey.build(entry.line)})
        return
    click.echo(f"name    {entry.line.name}")
    click.echo(f"role    {entry.line.role}")
    click.echo(f"number  {entry.line.fingerprint}")
    click.echo(f"proven  {_shown(at)}")
    click.echo(f"file    {entry.path}")


@command.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def add_command(context: click.Context, file: Path, as_json: bool) -> None:
    """Add a public key to this site's keys: of a person, or the signing key of another site.

    What is on cartridges already does not open with it.
    """
    _tell(jobs.add(file, places_of(context)), None, as_json=as_json)


@command.command("remove")
@name_argument
@json_option
@click.pass_context
def remove_command(context: click.Context, name: str, as_json: bool) -> None:
    """Take a key out of this site's keys. What is on cartridges already still opens with it."""
    _tell(jobs.remove(name, places_of(context)), None, as_json=as_json)


@command.command("export")
@name_argument
@click.pass_context
def export_command(context: click.Context, name: str) -> None:
    """Print a public key as one line, for a mail; `site` is this site's own signing key."""
    places = places_of(context)
    if name == THIS_SITE:
        click.echo(publickey.build(site_key(state_of(context)).line(places.site or "this site")))
    else:
        click.echo(publickey.build(ring.read(places.keys).named(name).line))


def _tell(made: Made, private: Private | None, *, as_json: bool) -> None:
    if as_json:
        print_json(_json(made.line) | {"file": str(made.public) if made.public.name else None})
        return
    click.echo(f"{made.line.role} {made.line.name}: {made.line.fingerprint}", err=bool(made.sheet))
    if private is not None and private.file:
        click.echo(f"private half: {private.file}: take it away from this machine", err=True)
    if private is not None and private.paper and private.paper != PRINTED:
        click.echo(f"paper key: {private.paper}: print it, then remove the file (shred -u)", err=True)
    click.echo(made.sheet, nl=False)


def _json(line: PublicKeyLine) -> dict[str, Any]:
    return {"name": line.name, "role": line.role, "key": line.key_id.hex()}


def _shown(proven: str | None) -> str:
    return datetime.fromisoformat(proven).astimezone().strftime("%Y-%m-%d %H:%M") if proven else "never"


def _proven(line: PublicKeyLine, known: dict[str, Any]) -> str | None:
    at = known.get(line.key_id.hex())
    return at.isoformat() if at and line.role != SITE else None
