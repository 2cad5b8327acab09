"""What an experiment finds: arrays, a table, a picture, and the paper's claims beside them."""

from __future__ import annotations

import json
import os
import platform
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pyexpr.experiments._cells import plain
from pyexpr.experiments.table import Table
from pyexpr.io._archive import MALFORMED, read_arrays, write_arrays
from pyexpr.io._replaced import replaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Verdict: TypeAlias = Literal["yes", "no", "in part"]

HOW = frozenset({"executor", "path", "progress", "device"})  # arguments that no result depends on
_LIBRARIES = ("numpy", "scikit-learn", "torch")
_NAME = re.compile(r"[a-z_0-9]{1,60}")
_MAX_JSON = 2**24


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, and what was found.

    Attributes
    ----------
    claim : str
        What the paper says, in our words.
    ours : str
        The figures found.
    agrees : "yes", "no" or "in part"
        Computed from the figures: found clearly; not found, be it refuted or not clear; found in
        some settings only, or by figures that are too uncertain to be sure.
    why : str
        What explains it, or limits it.
    """

    claim: str
    ours: str
    agrees: Verdict
    why: str


@dataclass(frozen=True, eq=False, repr=False)
class Result(ABC):
    """What an experiment found; each has arrays of its own as further attributes.

    Attributes
    ----------
    parameters : dict
        The arguments that made it, its seed among them: JSON values.
    """

    name: ClassVar[str]  # on the command line, and of its files
    title: ClassVar[str]
    _kinds: ClassVar[dict[str, type[Result]]] = {}

    parameters: Mapping[str, Any]

    def __init_subclass__(cls) -> None:
        Result._kinds[cls.name] = cls

    @property
    @abstractmethod
    def table(self) -> Table:
        """The figures that the picture shows."""

    @property
    @abstractmethod
    def claims(self) -> list[Claim]:
        """The paper's claims beside what was found, each judged by these figures."""

    @abstractmethod
    def plot(self) -> Figure:
        """The figure, as a new one of pyplot's. Needs matplotlib."""

    def save(self, directory: str | os.PathLike[str]) -> tuple[Path, Path]:
        """Write NAME.npz, the arrays, and NAME.json: parameters, versions, table and claims.

        Parameters
        ----------
        directory
            Made if there is none.

        Returns
        -------
        tuple of Path
            The two files; `load_result` takes the second.

        Raises
        ------
        OSError
            They cannot be written.
        """
        folder = Path(directory)
        text = json.dumps(self._record(), indent=1)  # fails, if it does, before anything is written
        folder.mkdir(parents=True, exist_ok=True)
        arrays, record = folder / f"{self.name}.npz", folder / f"{self.name}.json"
        write_arrays(arrays, {key: getattr(self, key) for key in _arrays_of(type(self))})
        with replaced(record) as file:
            file.write(text.encode())
        return arrays, record

    def _record(self) -> dict[str, Any]:
        return {
            "experiment": self.name,
            "parameters": dict(self.parameters),
            "versions": versions(),
            "table": {"columns": self.table.columns, "rows": self.table.rows},
            "claims": [vars(claim) for claim in self.claims],
        }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.table.rows)} rows>"

    def __str__(self) -> str:
        lines = [self.title, "", str(self.table), ""]
        for claim in self.claims:
            lines += [f"[{claim.agrees}] {claim.claim}", f"    {claim.ours}", f"    {claim.why}"]
        return "\n".join(lines)


def load_result(path: str | os.PathLike[str]) -> Result:
    """What `Result.save` wrote; nothing is unpickled.

    Parameters
    ----------
    path
        Of NAME.json, with NAME.npz beside it.

    Returns
    -------
    Result

    Raises
    ------
    FileNotFoundError
        One of them is missing.
    ValueError
        They hold no result.
    """
    record = Path(path)
    arrays = record.with_suffix(".npz")
    with record.open("rb") as text, arrays.open("rb") as file:
        try:
            found = json.loads(text.read(_MAX_JSON))
            kind = Result._kinds[found["experiment"]]
            held = read_arrays(file, _NAME)
            parameters = {**found["parameters"]}
            result = kind(parameters=parameters, **{k: held[k] for k in _arrays_of(kind)})
            str(result)  # fails if arrays do not fit each other
        except MALFORMED as error:
            raise ValueError(f"{os.fspath(path)!r} holds no result: {error!r}") from error
    return result


def arguments_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment's arguments without those that no result depends on, as JSON values.

    Raises
    ------
    TypeError
        One is no JSON value.
    """
    return {name: plain(name, value) for name, value in given.items() if name not in HOW}


def versions() -> dict[str, str | None]:
    """Of pyexpr and what its results may depend on; None for what is not installed."""
    return {
        "python": platform.python_version(),
        "pyexpr": _version("pyexpr-regions"),
        **{library: _version(library) for library in _LIBRARIES},
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _arrays_of(kind: type[Result]) -> list[str]:
    return [field.name for field in fields(kind) if field.name != "parameters"]
