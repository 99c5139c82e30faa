"""Hashes every file below a directory on one core: the speed that tapekit is measured by. `hash_tree.py DIRECTORY`."""

import hashlib
import os
import sys

for directory, _, files in os.walk(os.fsencode(sys.argv[1])):
    for name in files:
        with open(os.path.join(directory, name), "rb", buffering=0) as file:  # noqa: PTH118, PTH123 (nothing to import)
            hashlib.file_digest(file, "sha256")
