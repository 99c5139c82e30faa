"""A tape drive that is not there, at the level of its commands (SSC-4), with cartridges in files.

unit.py        the drive to those who speak to it: which command goes where, and what comes before it
deck.py        its state: cartridge, place, buffer, what it still has to say
transfer.py    blocks and filemarks
travel.py      going somewhere, loading, unloading
settings.py    what it is and how it is set: inquiry, mode pages
counters.py    log pages
chip.py        the cartridge's memory
security.py    encryption by the drive
motion.py      streaming, in simulated time
cartridge.py   the cartridge's file
recording.py   formats of LTO
faults.py      what goes wrong, by script
open.py        `FILE?generation=6&...`
"""
