"""Experiments run as the command line does: by several processes, into a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pyexpr._progress import Progress
from pyexpr._threads import thread_count
from pyexpr.experiments.registry import EXPERIMENTS, Experiment
from pyexpr.experiments.report import page
from pyexpr.experiments.result import Result


def reproduce(
    name: str,
    directory: str | os.PathLike[str],
    arguments: Mapping[str, Any] | None = None,
    *,
    quick: bool = False,
    workers: int | None = None,
    progress: Progress = False,
) -> Result:
    """Run an experiment and keep all of it in a folder.

    NAME.npz and NAME.json hold the result (`load_result`), NAME.png the picture, NAME.md the page
    that shows it. While it runs, NAME.jsonl keeps the cells that have finished: an experiment that
    was stopped goes on from there.

    Parameters
    ----------
    name
        One of `EXPERIMENTS`.
    directory
        Made if there is none.
    arguments
        Keywords of the experiment that are not to be as they are by default.
    quick
        Smaller, in about a minute.
    workers
        Processes; as many as cores if None, this process alone if 1.
    progress
        As for `sweep`.

    Raises
    ------
    ValueError
        There is no such experiment, it has no such argument, or refuses its value.
    RuntimeError
        Cells failed, or a process was killed.
    OSError
        A file cannot be written.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"name is {name!r}; it must be one of {', '.join(EXPERIMENTS)}")
    experiment = EXPERIMENTS[name]
    given = {} if arguments is None else {**arguments}
    for unknown in given.keys() - experiment.arguments:
        taken = ", ".join(sorted(experiment.arguments))
        raise ValueError(f"arguments has {unknown!r}; those of {name} are {taken}")
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    cells = folder / f"{name}.jsonl"
    keywords = {**(experiment.quick if quick else {}), **given}
    result = _run(experiment, keywords, cells, thread_count(workers), progress)
    result.save(folder)
    picture = f"{name}.png"
    figure = result.plot()
    figure.savefig(folder / picture)
    _close(figure)
    (folder / f"{name}.md").write_text(page(result, picture))
    cells.unlink()
    return result


def _run(
    experiment: Experiment,
    keywords: Mapping[str, Any],
    cells: Path,
    workers: int,
    progress: Progress,
) -> Result:
    if workers == 1:
        return experiment.run(**keywords, path=cells, progress=progress)
    # PyTorch's threads do not survive a fork.
    with ProcessPoolExecutor(workers, get_context("spawn")) as executor:
        return experiment.run(**keywords, executor=executor, path=cells, progress=progress)


def _close(figure: Any) -> None:
    from matplotlib import pyplot

    pyplot.close(figure)
