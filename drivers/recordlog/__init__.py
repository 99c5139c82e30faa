"""A cartridge on a disk or in an image file: the record log behind a small front (formats/SPEC.md sections 13, 14)."""
