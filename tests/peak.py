"""What a parser takes at most, as the kernel counts it: in a process of its own, with real data."""

import subprocess
import sys
from pathlib import Path

MOST_MIB = 64
ROOT = Path(__file__).parent.parent

_PROGRAM = """
import re, sys
from formats import block, catalog, delta, document, label, parity, pax, recordlog, segment
from formats.errors import FormatError
from drivers.errors import DriveError
from drivers import image
from tapekit.blocks.codec import compressor, decompress

def peak_mib():
    # Not ru_maxrss: it goes on from that of the process which started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024

def opened(path):
    # Every file of a cartridge, and its first block.
    drive = image.open_drive(path, writable=False)
    drive.to_end_of_data()
    drive.rewind()
    return drive.read_block()

def log_reader(path):
    return image.open_drive(path, writable=False)._found.reader

before = peak_mib()
outcome = "ok"
data = open(sys.argv[1], "rb").read() if {reads} else b""
try:
    result = {parse}
except (FormatError, DriveError) as error:
    outcome = str(error)
print(peak_mib() - before, outcome)
"""


def peak_mib(path: Path, parse: str, *, reads: bool = True) -> tuple[float, str]:
    """MiB that the expression `parse` takes beyond the interpreter, `data` (the file) included; and how it ends."""
    program = _PROGRAM.format(parse=parse, reads=reads)
    done = subprocess.run((sys.executable, "-c", program, path), cwd=ROOT, check=True, capture_output=True, text=True)
    peak, _, outcome = done.stdout.strip().partition(" ")
    return float(peak), outcome
