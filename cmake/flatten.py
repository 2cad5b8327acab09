"""Write a C++ header with one text: that of a header and all that it includes of ours.

NVRTC compiles the text at run time, and needs no file for it.

usage: flatten.py HEADER OUT FOLDER ...
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

_LONGEST = 8000  # characters of a string literal that every compiler takes


def flatten(header: Path, folders: list[Path], seen: set[Path]) -> Iterator[str]:
    """The lines; each file once."""
    if header in seen:
        return
    seen.add(header)
    for line in header.read_text().splitlines():
        included = re.match(r'#include "(.*)"', line)
        if included:
            path = next(path for f in folders if (path := f / included[1]).exists())
            yield from flatten(path, folders, seen)
        elif line != "#pragma once":
            yield line


def literals(text: str) -> str:
    parts = [text[i : i + _LONGEST] for i in range(0, len(text), _LONGEST)]
    return "\n".join(f'R"pyexpr({part})pyexpr"' for part in parts)


def main() -> None:
    header, out, *folders = map(Path, sys.argv[1:])
    text = "\n".join(flatten(header, folders, set())) + "\n"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        "// Made by flatten.py.\n#pragma once\n\n"
        f"inline constexpr char kernel_source[] =\n{literals(text)};\n"
    )


if __name__ == "__main__":
    main()
