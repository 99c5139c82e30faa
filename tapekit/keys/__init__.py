"""Keys: who can open what is on a cartridge, and who wrote it."""
