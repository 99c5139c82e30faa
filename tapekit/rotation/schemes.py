"""The rotation schemes by the names that the configuration uses; a new one is a file and a line here."""

from tapekit.rotation.gfs import GrandfatherFatherSon
from tapekit.rotation.hanoi import Hanoi
from tapekit.rotation.round_robin import RoundRobin
from tapekit.rotation.weekdays import Weekdays

SCHEMES = (
    ("weekdays", Weekdays),
    ("gfs", GrandfatherFatherSon),
    ("hanoi", Hanoi),
    ("round-robin", RoundRobin),
)
