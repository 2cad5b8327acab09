"""Make the pictures of the tutorial and of other pages again, by running the pages' own code.

Writes every NAME.png that a page saves and shows as images/NAME.png to docs/images. Needs all that
the tests need.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
PAGES = ("docs/tutorial.md", "docs/howto/pictures.md")


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from given_files import write_files
    from pages import run

    matplotlib.use("Agg")
    for page in PAGES:
        with TemporaryDirectory() as folder:
            os.chdir(folder)
            write_files(Path(folder))
            run(page)
            os.chdir(ROOT)
            for name in re.findall(r"images/(\w+\.png)", (ROOT / page).read_text("utf-8")):
                shutil.copy(Path(folder, name), IMAGES / name)
                print(IMAGES / name)


if __name__ == "__main__":
    main()
