"""Which cartridge goes in tonight, what stays protected, and what would cease to exist: pure functions of values.

No I/O, no clock, no randomness: the night, today and everything that is known of the cartridges are arguments.
"""
