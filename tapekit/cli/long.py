"""A line on standard error while a drive takes its time: a rewind, a search, the first load of a new cartridge."""

import contextlib
import threading
import time
from collections.abc import Iterator

import click

from tapekit.units import duration_text

FIRST_S = 5.0
"""What is over by then is not worth a line."""
INTERVAL_S = 60.0


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Say that `what` (`rewinding`) goes on, now and then, until the context ends."""
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(what, over), name="tell what takes long", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _tell(what: str, over: threading.Event) -> None:
    begun, interval = time.monotonic(), FIRST_S
    while not over.wait(interval):
        click.echo(f"{what}: {duration_text(time.monotonic() - begun)}", err=True)
        interval = INTERVAL_S
