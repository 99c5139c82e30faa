"""Deltas while they are written: what this site remembers of the night before, and what of a file changed since."""
