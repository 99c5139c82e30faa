"""A cartridge as tapekit knows it: label, rescue kit, archive segments and their catalogs."""
