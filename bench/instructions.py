"""Instructions of one count, as callgrind sees them: a guard against slower code without a clock.

usage: python bench/instructions.py PYEXPR_BENCH [--update]

PYEXPR_BENCH is the C++ benchmark (cmake -B build -DPYEXPR_BENCH=ON -DPYEXPR_PYTHON=OFF && cmake
--build build). For each case the program runs under valgrind with one repeat and with three: half
the difference is one count. Prints a table beside what bench/instructions.json expects, and exits
with 1 if a count takes 3 % more; --update writes that file anew. Numbers depend on the compiler,
the BLAS kernels and the C library, so compare on one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

CASES = {
    "2-3x64": "2 64 64 64 10",
    "5-6x50": "5 50 50 50 50 50 50 10",
    "784-3x256": "784 256 256 256 10",
    "784-5x256": "784 256 256 256 256 256 10",
    "784-3x128 hard-tanh": "--hard-tanh --gain 32 784 128 128 128 10",
    "784-3x128 arc": "--arc 784 128 128 128 10",
}
EXPECTED = Path(__file__).with_suffix(".json")
TOLERANCE = 0.03


def instructions(program: str, case: str, repeats: int) -> int:
    """Of the whole program, with so many counts."""
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command = [*tool, program, *case.split(), "--repeats", str(repeats)]
    # Idle threads of the BLAS would count, too.
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=alone)
    found = re.search(r"Collected : (\d+)", run.stderr)
    assert found, run.stderr
    return int(found[1])


def of_a_count(program: str, case: str) -> int:
    return (instructions(program, case, 3) - instructions(program, case, 1)) // 2


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("program", metavar="PYEXPR_BENCH")
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    found = {}
    print(f"{'case':<24}{'instructions':>14}{'expected':>14}{'ratio':>8}")
    for name, case in CASES.items():
        found[name] = of_a_count(arguments.program, case)
        before = expected.get(name, found[name])
        ratio = found[name] / before
        print(f"{name:<24}{found[name]:>14,}{before:>14,}{ratio:>8.3f}", flush=True)
    if arguments.update:
        EXPECTED.write_text(json.dumps(found, indent=2) + "\n")
    elif any(found[name] > (1 + TOLERANCE) * expected.get(name, found[name]) for name in CASES):
        sys.exit("more instructions than expected")


if __name__ == "__main__":
    main()
