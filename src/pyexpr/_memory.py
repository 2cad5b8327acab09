"""How much memory this process may still take."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

# Of control groups: where they are, files for the limit and the use, and what of the use are pages
# of files that the kernel drops when memory is short.
_VERSION_1 = ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_VERSION_2 = ("", "memory.max", "memory.current", "inactive_file")


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes: the least of what the machine, the control groups and the limits of the process leave.

    None if the system says nothing about it. `root` is where proc and sys are.
    """
    machine = _linux(root)
    if machine is None:
        machine = _elsewhere()
    known = [left for left in (machine, *_groups(root), _address_space(root)) if left is not None]
    return max(min(known), 0) if known else None


def _linux(root: Path) -> int | None:
    found = re.search(r"^MemAvailable: +(\d+) kB$", _text(root / "proc/meminfo"), re.M)
    return int(found[1]) * 1024 if found else None


def _elsewhere() -> int | None:
    names = getattr(os, "sysconf_names", {})
    for pages in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES"):  # macOS knows only how many there are
        if pages in names and "SC_PAGE_SIZE" in names:
            return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")
    return None


def _groups(root: Path) -> Iterator[int]:
    """What each control group that the process is in leaves, the groups around it included."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _left(root, _VERSION_2, path)
        elif "memory" in controllers.split(","):
            yield from _left(root, _VERSION_1, path)


def _left(root: Path, version: tuple[str, str, str, str], path: str) -> Iterable[int]:
    mount, limit, use, idle = version
    top = root / "sys/fs/cgroup" / mount
    group = top / path.lstrip("/")
    # A container may see its own group, which `path` does not name, as the top one.
    for here in (group, *(around for around in group.parents if around.is_relative_to(top))):
        most, used = _text(here / limit).strip(), _text(here / use).strip()
        if most.isdecimal() and used.isdecimal():
            stat = re.search(rf"^{idle} (\d+)$", _text(here / "memory.stat"), re.M)
            yield int(most) - int(used) + (int(stat[1]) if stat else 0)


def _address_space(root: Path) -> int | None:
    """What RLIMIT_AS leaves."""
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    pages = _text(root / "proc/self/statm").split()[:1]
    return limit - (int(pages[0]) * os.sysconf("SC_PAGE_SIZE") if pages else 0)


def _text(path: Path) -> str:
    """Of a file; empty if there is none to be read."""
    try:
        return path.read_text()
    except OSError:
        return ""
