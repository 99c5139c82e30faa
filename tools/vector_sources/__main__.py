"""Makes `python -m tools.vector_sources` work: writes the vectors, or checks them."""

import argparse
import sys

from fixtures.vectors import FOLDER, SUFFIX
from tools.vector_sources import VECTORS


def differences(files: dict[str, bytes]) -> list[str]:
    """What in the folder is not what it should be, a line for each file."""
    there = {path.name: path.read_bytes() for path in FOLDER.glob("*" + SUFFIX)}
    lines = [f"{name}: missing" for name in files.keys() - there.keys()]
    lines += [f"{name}: nothing makes it" for name in there.keys() - files.keys()]
    lines += [f"{name}: differs" for name in files.keys() & there.keys() if files[name] != there[name]]
    return sorted(lines)


def main() -> int:
    """Returns 1 where `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="tools/vectors", description="Writes fixtures/vectors/*.tkv.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail where the files differ")
    check = parser.parse_args().check
    files = {vector.name + SUFFIX: vector.encode() for vector in VECTORS}
    names = [vector.name for vector in VECTORS]
    if len(files) != len(names):
        raise SystemExit(f"vectors: two have the same name: {sorted({n for n in names if names.count(n) > 1})}")
    found = differences(files)
    if check:
        print("".join(f"{FOLDER.name}/{line}\n" for line in found), end="")
        return 1 if found else 0
    for path in FOLDER.glob("*" + SUFFIX):
        path.unlink()
    for name, content in files.items():
        (FOLDER / name).write_bytes(content)
    print(f"{len(files)} vectors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
