"""`tapekit label`: make a medium a cartridge."""

import contextlib
from pathlib import Path

import click

from drivers import image
from tapekit import clock, config, drives
from tapekit.cli.common import drive_argument, evidences, json_option, opened, places_of, print_json
from tapekit.cli.remember import problem_json, remembering
from tapekit.cli.scanning import one_label, site_labels
from tapekit.errors import UsageError
from tapekit.jobs import label
from tapekit.keys import ring
from tapekit.rotation.loss import Loss
from tapekit.units import parse_size, size_text


@click.command("label")
@drive_argument
@click.option("--barcode", metavar="B", help="What is printed on the cartridge, for example WED-1.")
@click.option("--scan", metavar="PORT", help="Take it from a barcode scanner on this port; - is one that types.")
@click.option("--pool", metavar="P", help="Media pool that the cartridge belongs to.")
@click.option("--size", metavar="S", help="Make a new image file of this capacity (64M, 500GB, 1.5TiB).")
@click.option("--block-size", metavar="S", help="Largest block; 1M on disks unless the medium is small.")
@click.option("--destroy", metavar="NAME", help="Name of what is on the medium and may be lost for good.")
@json_option
@click.pass_context
def command(
    context: click.Context, drive: str, barcode: str | None, scan: str | None, pool: str | None, size: str | None,
    block_size: str | None, destroy: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Make the medium in DRIVE a cartridge: label, rescue kit, room for archives.

    Refuses a medium that holds anything; the refusal says what it is, and what to give to --destroy.
    """
    if scan is not None:
        if barcode is not None:
            raise UsageError("label: --barcode and --scan: one of them says the name")
        barcode = one_label(scan, site_labels(context))
    created = _create_image(context, drive, size)
    try:
        with (
            opened(context, drive, writable=True) as device,
            evidences() as journal,
            remembering(context, journal) as memory,
        ):
            result = label.run(
                device, barcode=barcode, pool=pool, block_bytes=parse_size(block_size) if block_size else None,
                destroy=destroy, keys=ring.read(places_of(context).keys).recipients, memory=memory,
            )  # fmt: skip
    except BaseException:
        if created:
            with contextlib.suppress(OSError):
                Path(created).unlink()
        raise
    made = result.label
    if as_json:
        print_json({
            "cartridge": made.cartridge, "name": made.name, "barcode": made.barcode, "pool": made.pool,
            "block_size": made.block_size, "capacity_bytes": result.capacity_bytes,
            "destroyed": result.destroyed or None, "lost": None if result.loss is None else _lost_json(result.loss),
            "catalog_problem": problem_json(memory),
        })  # fmt: skip
        return
    if result.destroyed:
        click.echo(f"destroyed: {result.destroyed}")
    if result.loss:
        click.echo(f"no more anywhere: {result.loss.words(clock.now().astimezone().date())}")
    capacity = size_text(result.capacity_bytes)
    click.echo(f"labelled {made.name}: {capacity}, blocks of {made.block_size >> 10} KiB, read back")


def _lost_json(loss: Loss) -> list[dict[str, str]]:
    return [
        {"job": lost.job, "what": lost.kind.value, "first": first.isoformat(), "last": last.isoformat()}
        for lost in loss.jobs
        for first, last in lost.spans
    ]


def _create_image(context: click.Context, drive: str, size: str | None) -> str | None:
    """Make the image file that --size asks for; its path, to be removed again if labelling fails."""
    if size is None:
        return None
    scheme, path = drives.resolve(drive, config.drives(context.find_root().obj))
    if scheme != image.SCHEME:
        raise UsageError(f"size: only an image file can be made, not {drive}", "leave --size out")
    image.create(path, parse_size(size))
    return path
