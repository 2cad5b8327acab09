"""`python -m pyexpr`."""

import sys

from pyexpr.cli import main

if __name__ == "__main__":
    sys.exit(main())
