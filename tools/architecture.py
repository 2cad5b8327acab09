"""The modules of pyexpr and which of them use which: declared here, once.

tests/test_architecture.py holds this to the sources, tools/make_architecture.py draws it, and
docs/architecture.md has it as tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TypeAlias

Arrow: TypeAlias = tuple[str, str]

# Where the files of an area are; what follows is a pattern of a module, without suffix.
AREAS = {
    "Python": ("src/pyexpr/",),
    "bindings": ("cpp/", "src/pyexpr/"),
    "CUDA": ("cpp/",),
    "C++": ("cpp/include/pyexpr/", "cpp/src/"),
}


@dataclass(frozen=True)
class Module:
    """A box of the picture.

    Attributes
    ----------
    name, area, purpose
    files
        Patterns of its files: paths inside its area, without suffix.
    uses
        The modules that it imports or includes.
    on_demand
        Those that it imports inside functions only.
    """

    name: str
    area: str
    purpose: str
    files: str
    uses: tuple[str, ...] = ()
    on_demand: tuple[str, ...] = ()

    def patterns(self) -> list[str]:
        """Of its files, from the root of the repository."""
        return [area + file + ".*" for area in AREAS[self.area] for file in self.files.split()]

    def has(self, file: str) -> bool:
        return any(fnmatch(file, pattern) for pattern in self.patterns())


@dataclass(frozen=True)
class Step:
    """Of a count's way: data goes along arrows, or back to who uses a module."""

    name: str
    ways: tuple[Arrow, ...]


TIERS = ("weights and letters", "adjoint", "extended", "exact")

MODULES = (
    Module(
        "command line",
        "Python",
        "pyexpr count, trace, stream, bounds, reproduce, demo",
        "cli __main__ demo",
        uses=("bounds", "pyexpr"),
        on_demand=("checks", "cuda", "experiments", "files", "importers", "plot"),
    ),
    Module(
        "pyexpr",
        "Python",
        "the public names",
        "__init__",
        uses=(
            *("arguments", "checks", "counting", "files", "importers", "networks"),
            *("saved results", "streaming", "tracing", "trajectories"),
        ),
        on_demand=("bounds", "constructions", "cuda", "experiments", "plot", "theory", "torch"),
    ),
    Module(
        "experiments",
        "Python",
        "those of Raghu et al. (2017), with exact counts",
        "experiments/*",
        uses=(
            *("arguments", "bounds", "checks", "constructions", "counting", "cuda", "files"),
            *("networks", "theory", "tracing", "trajectories"),
        ),
        on_demand=("plot", "torch"),
    ),
    Module(
        "bounds",
        "Python",
        "how many regions there can be",
        "bounds/*",
        uses=("arguments", "checks", "counting", "networks", "trajectories"),
    ),
    Module(
        "constructions",
        "Python",
        "networks that have as many",
        "constructions/*",
        uses=("checks", "networks", "trajectories"),
    ),
    Module(
        "theory",
        "Python",
        "what random networks are expected to do",
        "theory/*",
        uses=("arguments", "checks", "networks", "tracing", "trajectories"),
    ),
    Module(
        "plot",
        "Python",
        "pictures of traces and slices",
        "plot/*",
        uses=("arguments", "checks", "networks", "tracing", "trajectories"),
    ),
    Module(
        "torch",
        "Python",
        "what PyTorch can differentiate",
        "torch/*",
        uses=("arguments", "tracing", "trajectories"),
    ),
    Module(
        "counting",
        "Python",
        "count_regions and its like, on the CPU or a GPU",
        "counting _answers",
        uses=("arguments", "bindings", "checks", "cuda", "networks", "trajectories"),
    ),
    Module(
        "cuda",
        "Python",
        "the engine on arrays: CuPy's on a GPU",
        "cuda/*",
        uses=("bindings", "checks"),
    ),
    Module(
        "saved results",
        "Python",
        "load_trace, save_regions",
        "io/traces io/regions io/_parquet io/_spool",
        uses=(
            *("arguments", "checks", "files", "networks"),
            *("streaming", "tracing", "trajectories"),
        ),
    ),
    Module(
        "streaming",
        "Python",
        "regions block by block, in little memory",
        "streaming/*",
        uses=("arguments", "bindings", "checks", "networks", "tracing", "trajectories"),
    ),
    Module(
        "tracing",
        "Python",
        "what a trace tells",
        "tracing/*",
        uses=("arguments", "bindings", "checks", "networks", "trajectories"),
        on_demand=("files",),
    ),
    Module(
        "arguments",
        "Python",
        "what functions take as a network or a trajectory",
        "_networks _curves stack architecture",
        uses=("bindings", "checks", "networks", "trajectories"),
        on_demand=("importers",),
    ),
    Module(
        "importers",
        "Python",
        "networks of ONNX, PyTorch, scikit-learn, .nnet",
        "io/__init__ io/onnx io/torch io/sklearn io/nnet io/_operators io/_windows build",
        uses=("checks", "files", "networks"),
    ),
    Module(
        "files",
        "Python",
        "networks and traces as .npz, points, tables",
        "io/npz io/points io/pandas io/_archive io/_fingerprint io/_replaced io/_saved_traces "
        "io/_trajectories",
        uses=("checks", "networks", "trajectories"),
    ),
    Module(
        "networks",
        "Python",
        "graphs of operations, lowered to a chain of levels",
        "network graph operations activations lowering pooling",
        uses=("bindings", "checks"),
    ),
    Module(
        "trajectories",
        "Python",
        "chains of rational Bezier pieces",
        "trajectories/*",
        uses=("checks",),
    ),
    Module(
        "checks",
        "Python",
        "arrays, batches, certificates, progress, memory",
        "_arrays _batches _frozen _memory _progress _text _threads certificate",
    ),
    Module(
        "bindings",
        "bindings",
        "conversions, no mathematics",
        "python/* _core",
        uses=("engine", "exact", "kernels", "referee", "sinks", "start"),
    ),
    Module(
        "kernels",
        "CUDA",
        "the filter on arrays, for host compilers, nvcc, NVRTC",
        "cuda/*",
        uses=("arithmetic",),
    ),
    Module(
        "referee",
        "C++",
        "the later tiers, for cells found on a GPU",
        "referee",
        uses=("arithmetic", "events", "levels", "partition", "predicates", "sinks"),
    ),
    Module(
        "engine",
        "C++",
        "moves cells through levels; threads, batches",
        "engine team plan batch",
        uses=(
            *("arithmetic", "events", "levels", "partition", "predicates"),
            *("refinement", "sinks", "start"),
        ),
    ),
    Module(
        "start",
        "C++",
        "a piece as cells before the first level",
        "start",
        uses=("arithmetic", "levels", "partition", "refinement"),
    ),
    Module(
        "refinement",
        "C++",
        "cells cut at their events, for the next level",
        "refinement curve_refinement screening",
        uses=("arithmetic", "events", "levels", "partition", "predicates"),
    ),
    Module(
        "events",
        "C++",
        "where neurons change their letters, in true order",
        "events curve_events clusters",
        uses=("arithmetic", "levels", "partition", "predicates"),
    ),
    Module(
        "sinks",
        "C++",
        "what is counted, or kept, of the last cells",
        "sinks",
        uses=("levels", "partition", "predicates"),
    ),
    Module(
        "predicates",
        "C++",
        "decide every sign, order and equality: the filter first",
        "predicates line_predicates curve_predicates affine root_isolation certificate",
        uses=(
            *TIERS,
            "arithmetic",
            "levels",
            "partition",
        ),
    ),
    Module(
        "weights and letters",
        "C++",
        "what is plain from them alone",
        "proportional identities cancellation",
        uses=("arithmetic", "levels", "partition"),
    ),
    Module(
        "adjoint",
        "C++",
        "float64 sensitivities on one cell",
        "adjoint",
        uses=("arithmetic", "levels", "partition"),
    ),
    Module(
        "extended",
        "C++",
        "double-double on one cell",
        "extended",
        uses=("arithmetic", "levels", "partition"),
    ),
    Module(
        "exact",
        "C++",
        "integers and algebraic numbers",
        "exact algebraic",
        uses=("arithmetic", "levels", "partition"),
    ),
    Module(
        "partition",
        "C++",
        "cells: vertices, rows, letters, error bounds",
        "partition",
        uses=("arithmetic", "levels"),
    ),
    Module(
        "levels",
        "C++",
        "network: maps, activations; trajectory: pieces",
        "network layers activation affine_map block trajectory",
        uses=("arithmetic",),
    ),
    Module(
        "arithmetic",
        "C++",
        "rounding bounds, pairs, balls, dyadics, bits, products; threads",
        "rounding pair ball bits buffer dyadic lossless bernstein polynomial portable gemm kernels "
        "threads",
    ),
)

STEPS = (
    Step(
        "The network and the trajectory are read.",
        (("counting", "arguments"), ("arguments", "networks")),
    ),
    Step("The network is lowered to levels.", (("networks", "bindings"),)),
    Step(
        "A piece becomes cells before the first level.",
        (("bindings", "engine"), ("engine", "start")),
    ),
    Step(
        "Level by level, cells are cut at their events.",
        (("start", "refinement"), ("refinement", "events")),
    ),
    Step("Predicates decide, by a filter nearly always,", (("events", "predicates"),)),
    Step(
        "or else by later tiers, the last of them exact.",
        tuple(("predicates", tier) for tier in TIERS),
    ),
    Step("The last level's cells go to a sink.", (("engine", "sinks"),)),
    Step(
        "Its Count comes back, with a certificate.",
        (("sinks", "bindings"), ("bindings", "counting")),
    ),
)


@dataclass(frozen=True)
class Never:
    """Arrows that must not be: from modules, or all of an area, to others."""

    users: tuple[str, ...]
    used: tuple[str, ...]
    why: str

    def arrows(self) -> set[Arrow]:
        return {(user, used) for user in _all(self.users) for used in _all(self.used)}


def _all(names: tuple[str, ...]) -> list[str]:
    return [module.name for module in MODULES if {module.name, module.area} & {*names}]


FORBIDDEN = (
    Never(
        ("C++",),
        ("Python", "bindings", "kernels"),
        "The C++ library knows nothing of Python, and is built, used and measured without it.",
    ),
    Never(
        ("kernels",),
        ("Python", "bindings", "levels", "partition", "predicates"),
        "NVRTC compiles the kernels from one text, so they use nothing but arithmetic of floats.",
    ),
    Never(
        ("engine", "referee", "start", "refinement", "events", "sinks"),
        TIERS,
        "Later tiers are asked by predicates alone, which note in the certificate who answered.",
    ),
    Never(
        ("predicates", *TIERS),
        ("engine", "referee", "start", "refinement", "events", "sinks"),
        "What is true of a cell does not depend on how it was found, or on what is counted.",
    ),
    Never(
        ("sinks",),
        ("engine", "referee", "start", "refinement", "events"),
        "A new measurement is a new sink, and nothing else.",
    ),
    Never(
        ("networks", "files"),
        ("importers", "arguments"),
        "Importers make networks; `arguments` calls them on demand, so that no other library is "
        "imported before one of its models is given.",
    ),
    Never(
        ("pyexpr",),
        ("command line",),
        "The package is a library first.",
    ),
)


def arrows(on_demand: bool | None = None) -> set[Arrow]:
    """All, or those on demand, or the others: from the module that uses to the one used."""
    return {
        (module.name, used)
        for module in MODULES
        for names, rare in ((module.uses, False), (module.on_demand, True))
        for used in names
        if on_demand in (None, rare)
    }


def reached(start: str, along: set[Arrow]) -> set[str]:
    """What can be reached from a module by one arrow or more."""
    found: set[str] = set()
    ends = {start}
    while ends:
        ends = {used for user, used in along if user in ends} - found
        found |= ends
    return found


def drawn() -> set[Arrow]:
    """The arrows that do not follow from others.

    One that is always there follows from such alone, one on demand from any.
    """
    kept = set()
    for demand in (False, True):
        all_that_tell = arrows() if demand else arrows(False)
        for user, used in arrows(demand):
            if used not in reached(user, all_that_tell - {(user, used)}):
                kept.add((user, used))
    return kept
