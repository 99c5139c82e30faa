"""The bytes of a cartridge and the values they stand for: pure, no I/O. SPEC.md is the specification."""
