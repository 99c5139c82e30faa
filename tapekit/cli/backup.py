"""`tapekit backup`: save files and directories as a new archive."""

from typing import TYPE_CHECKING, Any

import click

from drivers.base import Drive
from formats.errors import FormatError
from tapekit.cli import progress
from tapekit.cli.common import (
    drive_argument,
    evidences,
    json_option,
    opened,
    path_json,
    places_of,
    print_json,
    reasons,
    reasons_json,
    show_list,
    state_of,
)
from tapekit.cli.further import next_cartridges, then_option
from tapekit.cli.hand import SOURCES
from tapekit.cli.remember import problem_json, remembering
from tapekit.cli.writing import AUTO, NONE, sealing
from tapekit.deltas.session import Incremental
from tapekit.errors import Exit
from tapekit.jobs import backup, label
from tapekit.keys import ring
from tapekit.source.exclude import Excludes
from tapekit.source.walk import Options, plan_sources
from tapekit.units import counted, duration_text, parse_size, size_text

if TYPE_CHECKING:
    from tapekit.jobs.memory import Memory


@click.command("backup")
@drive_argument
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--job", default="backup", show_default=True, metavar="NAME", help="Name that the archive goes by.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out, as in .gitignore, relative to each PATH.")
@click.option("--exclude-caches", is_flag=True, help="Leave out what is in directories tagged by CACHEDIR.TAG.")
@click.option("--one-file-system", is_flag=True, help="Do not go into other file systems.")
@click.option("--compression", default="auto", show_default=True, metavar="HOW", help="auto, none or zstd[:LEVEL].")
@click.option(
    "--parity/--no-parity",
    default=None,
    help="About 3 % more, and damage is corrected (without: on disks, not on tape).",
)
@click.option(
    "--tape-buffer", metavar="SIZE",
    help="Memory for a tape, which stops less often the more there is (without: 512M, at most a quarter).",
)  # fmt: skip
@click.option("--to-key", multiple=True, metavar="NAME|FILE", help="Encrypt for this public key, not for the site's.")
@click.option("--passphrase-from", metavar="WHERE", help=f"A passphrase that opens it too: {SOURCES}")
@click.option(
    "--encryption", type=click.Choice((AUTO, NONE)), default=AUTO, show_default=True,
    help="auto: for the site's keys, once there are some.",
)  # fmt: skip
@click.option("--full", is_flag=True, help="Save all, whatever the cartridge holds of this job already.")
@click.option(
    "--incremental/--no-incremental",
    default=True,
    help="Build upon what the cartridge holds (without: save all, and remember nothing for the next archive).",
)
@click.option(
    "--rehash", type=click.IntRange(0, 100), default=0, show_default=True, metavar="PERCENT",
    help="Read so many of the unchanged files all the same, in turn, and compare them.",
)  # fmt: skip
@then_option
@json_option
@click.pass_context
def command(
    context: click.Context, drive: str, paths: tuple[str, ...], job: str, exclude: tuple[str, ...],
    exclude_caches: bool, one_file_system: bool, compression: str, parity: bool | None,
    tape_buffer: str | None, to_key: tuple[str, ...],
    passphrase_from: str | None, encryption: str, full: bool, incremental: bool, rehash: int, then: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Save each PATH, and all below it, as a new archive behind what the cartridge holds.

    Where it holds an archive of the same job that this computer knows, only what changed since is written.

    Where that is full, the archive goes on on the cartridges in the drives of --then; without, a person at the terminal
    is asked for the next one, and elsewhere it ends there (exit 9).

    Exit code 3 means: done, but the members named were not saved whole and still.
    """
    options = Options(Excludes(exclude), one_file_system=one_file_system, exclude_caches=exclude_caches)
    sources = plan_sources(paths, one_file_system=one_file_system)
    with (
        sealing(context, encryption, to_key, passphrase_from) as sealed,
        opened(context, drive, writable=True) as device,
        evidences() as journal,
        remembering(context, journal) as memory,
        next_cartridges(
            context, then, writable=True, permit=memory.check_writable,
            label_blank=lambda blank, name: _label(context, blank, name, memory),
        ) as further,
    ):  # fmt: skip
        memory.check_writable(device)
        request = backup.Request(
            sources, options, job, compression, places_of(context).site, sealed.recipients, sealed.site_key,
            parity, parse_size(tape_buffer) if tape_buffer else None,
            Incremental(state_of(context), is_full=full, rehash=rehash) if incremental else None,
        )  # fmt: skip
        result = backup.run(
            device, request, progress.shown(as_json=as_json), journal, further,
            lambda drive, _part, opener: memory.learn(drive, opener=opener),
        )  # fmt: skip
        result.forget()
        unkept = _remember(result)
    if as_json:
        print_json(_json(result, memory))
    else:
        _show(result, unkept, is_parity_wanted=bool(parity))
    if result.warnings or result.not_locked or (parity and result.parity_bytes is None):
        context.exit(Exit.WARNINGS)


def _remember(result: backup.Result) -> str:
    """From here on the next archive may build upon this one; why not, where that is so."""
    try:
        if result.pending is not None:
            result.pending.commit()
    except (OSError, FormatError) as error:
        return str(error)
    return ""


def _json(result: backup.Result, memory: "Memory") -> dict[str, Any]:
    return {
        "cartridge": result.cartridge, "archive": result.archive, "file": result.file, "state": result.state,
        "members": result.members, "source_bytes": result.source_bytes, "stored_bytes": result.stored_bytes,
        "changed_bytes": result.changed_bytes, "base": result.base, "why_full": result.why_full,
        "duration_s": result.duration_s, "warnings": reasons_json(_warnings(result)),
        "notes": [path_json(note.encode("utf-8", "surrogateescape")) for note in result.notes],
        "not_locked": list(result.not_locked), "remaining_bytes": result.remaining_bytes,
        "encrypted_for": list(result.encrypted_for),
        "parity_bytes": result.parity_bytes,
        "drive_stops": result.flowed.stops if result.flowed else None,
        "cartridges": [
            {"cartridge": part.cartridge, "file": part.file, "part": part.segment + 1, "state": part.state,
             "members": part.members, "stored_bytes": part.stored_bytes}
            for part in result.parts
        ],
        "catalog_problem": problem_json(memory),
    }  # fmt: skip


def _show(result: backup.Result, unkept: str, *, is_parity_wanted: bool) -> None:
    show_list("not saved whole", reasons(_warnings(result)))
    cartridges = ", ".join(part.cartridge for part in result.parts)
    rate = size_text(result.source_bytes / max(result.duration_s, 0.001))
    click.echo(
        f"saved on {cartridges}: archive {result.archive[:8]}, {counted(result.members, 'member')}, "
        f"{size_text(result.source_bytes)} in {duration_text(result.duration_s)} ({rate}/s), "
        f"{size_text(result.stored_bytes)} stored, {size_text(result.remaining_bytes)} left"
    )
    _show_base(result, unkept)
    if result.parity_bytes is not None:
        click.echo(f"  parity: {size_text(result.parity_bytes)} of it correct what the medium may lose")
    elif is_parity_wanted:
        click.echo("  no parity: the cartridge is too small for it")
    if result.flowed is not None and result.flowed.stops:
        flowed, needed = result.flowed, size_text(result.flowed.needed_bytes_s)
        source = f"the source delivers {size_text(flowed.source_bytes_s)}/s, " if flowed.source_bytes_s else ""
        click.echo(f"  the drive stopped {counted(flowed.stops, 'time')}: {source}the drive needs {needed}/s")
    for why in result.not_locked:
        click.echo(f"  the cartridge could be taken out while it was written: {why}", err=True)
    if result.encrypted_for:
        click.echo(f"  opens with the key of: {', '.join(result.encrypted_for)}")
    else:
        click.echo("  not encrypted: whoever has the cartridge can read it")
    if result.notes:
        click.echo(f"left out with a note: {len(result.notes)}; tapekit list shows them")


def _warnings(result: backup.Result) -> list[tuple[bytes, str]]:
    return [(warned.path, warned.why) for warned in result.warnings]


def _show_base(result: backup.Result, unkept: str) -> None:
    """What it builds upon, and what the next one will."""
    if result.base is not None:
        click.echo(f"  builds upon archive {result.base[:8]}: {size_text(result.changed_bytes)} changed since")
    if result.why_full:
        click.echo(f"  all was saved: {result.why_full}")
    if unkept:
        click.echo(f"  the next archive will be a full one: {unkept}", err=True)


def _label(context: click.Context, blank: Drive, name: str, memory: "Memory") -> None:
    """Make a cartridge of a blank medium that a person puts in."""
    keys = ring.read(places_of(context).keys).recipients
    label.run(blank, barcode=name, pool=None, block_bytes=None, destroy=None, keys=keys, memory=memory)
