"""Further cartridges for a command: drives named with --then, the drive's changer, or a person who changes them."""

import contextlib
import functools
import signal
import sys
from collections.abc import Callable, Iterator

import click

from drivers.base import Drive
from tapekit import changers, config, drives
from tapekit.cli.common import held, url_of
from tapekit.jobs.changer import FromChanger
from tapekit.jobs.next_cartridge import AtTerminal, Listed, NextCartridge, anything

then_option = click.option(
    "--then", multiple=True, metavar="DRIVE", help="A drive with a further cartridge of the archive; may be repeated."
)


@contextlib.contextmanager
def next_cartridges(
    context: click.Context, then: tuple[str, ...], *, writable: bool = False,
    permit: Callable[[Drive], None] = anything, label_blank: Callable[[Drive, str], None] | None = None,
) -> Iterator[NextCartridge | None]:  # fmt: skip
    """Who brings the next cartridge: the drives of --then; else the drive's changer; else the person at the terminal.

    Without any of them nobody does.

    The drives are held while the command runs, as its first one is.
    """
    named = config.drives(context.find_root().obj)
    say = functools.partial(click.echo, err=True)
    brings: NextCartridge
    robot = config.changers(context.find_root().obj).get(context.params["drive"])
    with contextlib.ExitStack() as stack:

        def open_drive(drive: str, writable: bool) -> Drive:
            url = url_of(context, drive)
            if url != first:
                stack.enter_context(held(context, url, alone=writable))
            return drives.open_drive(drive, named, writable=writable)

        first = url_of(context, context.params["drive"])
        if then:
            brings = Listed([functools.partial(open_drive, drive, writable) for drive in then], permit, say)
        elif robot is not None:
            stack.enter_context(held(context, robot[0], alone=True))
            brings = FromChanger(
                functools.partial(changers.open_changer, robot[0], {}), robot[1],
                functools.partial(open_drive, context.params["drive"]), say, permit, label_blank,
            )  # fmt: skip
        elif sys.stdin.isatty() and sys.stderr.isatty():
            brings = AtTerminal(open_drive, ask, say, permit, label_blank)
        else:
            yield None
            return
        try:
            yield brings
        finally:
            brings.close()


@contextlib.contextmanager
def further_drives(context: click.Context, then: tuple[str, ...]) -> Iterator[NextCartridge | None]:
    """The drives of --then; without, nobody is asked."""
    if not then:
        yield None
        return
    with next_cartridges(context, then) as brings:
        yield brings


def ask(prompt: str) -> str | None:
    """A line from the person; None after Ctrl-C or Ctrl-D, which here mean that there is no more."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        click.echo(f"{prompt}: ", nl=False, err=True)
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        click.echo(err=True)
        return None
    finally:
        signal.signal(signal.SIGINT, before)
    return line.rstrip("\n") if line else None
