"""`tapekit eject`: let a cartridge go."""

import click

from tapekit.cli.common import drive_argument, evidences, json_option, opened, print_json
from tapekit.cli.remember import problem_json, remembering
from tapekit.jobs import eject


@click.command("eject")
@drive_argument
@json_option
@click.pass_context
def command(context: click.Context, drive: str, as_json: bool) -> None:
    """Let the cartridge in DRIVE go, and write into the catalog that it is out.

    One that was put in for a restore may be written again from then on.
    """
    with (
        opened(context, drive, alone=True) as device,
        evidences() as journal,
        remembering(context, journal) as memory,
    ):
        name = eject.run(device, memory)
    if as_json:
        print_json({"name": name or None, "catalog_problem": problem_json(memory)})
    else:
        click.echo(f"{f'cartridge {name}' if name else 'what is in the drive'}: may be taken out")
