"""Tape drives: SSC commands with exact positions, early warning and sense data, over any way to a device."""
