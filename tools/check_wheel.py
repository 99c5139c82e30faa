"""Builds the wheel and says whether it holds what it should: the three packages, every file of them, nothing else."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("drivers", "formats", "tapekit")
# What a site without this checkout needs and no import would miss.
DATA = {"formats/SPEC.md", "tapekit/rescue/README.txt", "tapekit/rescue/rescue.py"}


def names_in_checkout() -> set[str]:
    """Files of the packages, as the wheel should name them."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def names_in_wheel() -> set[str]:
    """Files of a wheel made now, without its own metadata (NAME-VERSION.dist-info/)."""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
        made = subprocess.run(build, cwd=ROOT, check=False, capture_output=True, text=True)
        if made.returncode != 0:
            sys.exit(f"wheel: cannot be built: {made.stdout}{made.stderr}")
        (wheel,) = Path(folder).glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
    return {name for name in names if not name.split("/")[0].endswith(".dist-info")}


def main() -> int:
    """0 when the wheel is right; else 1, with one line for each file that is not."""
    wheel, checkout = names_in_wheel(), names_in_checkout()
    problems = [f"{name}: in the wheel, but in none of {', '.join(PACKAGES)}" for name in sorted(wheel - checkout)]
    problems += [f"{name}: not in the wheel" for name in sorted((checkout | DATA) - wheel)]
    for problem in problems:
        print(f"wheel: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
