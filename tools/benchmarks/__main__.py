"""Makes `python -m tools.benchmarks` work."""

import sys

from tools.benchmarks.cli import main

if __name__ == "__main__":
    sys.exit(main())
