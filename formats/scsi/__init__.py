"""What SCSI devices say and are told: sense data, inquiry, tape, mode, log and attribute pages. Pure: no I/O.

A device sends fewer bytes than asked for, and more than a standard has; so parsers take what is there and leave the
rest. Sources: SPC-4, SSC-4, SMC-3; sizes and numbers as st, sg3_utils and the makers' manuals have them.
"""
