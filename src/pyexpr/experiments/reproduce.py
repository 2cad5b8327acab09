"""Experiments run as the command line does: by several processes, into a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pyexpr._arrays import integer
from pyexpr._progress import Progress
from pyexpr._threads import thread_count
from pyexpr.cuda.devices import DeviceLike, find_device
from pyexpr.experiments.registry import EXPERIMENTS, Experiment
from pyexpr.experiments.report import page
from pyexpr.experiments.result import Result, arguments_of
from pyexpr.io._replaced import replaced


def reproduce(
    name: str,
    directory: str | os.PathLike[str],
    arguments: Mapping[str, Any] | None = None,
    *,
    quick: bool = False,
    workers: int | None = None,
    progress: Progress = False,
    device: DeviceLike = "cpu",
) -> Result:
    """Run an experiment and keep all of it in a folder.

    NAME.npz and NAME.json hold the result (`load_result`), NAME.png the picture, NAME.md the page
    that shows it. While it runs, NAME-....jsonl keeps the cells that have finished, by the
    arguments and by what a file of data holds: an experiment that was stopped goes on from there.

    Several workers are processes that import the script that calls this: it needs the usual
    `if __name__ == "__main__":`.

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
    device
        As for `count_regions`, of an experiment that counts; one that traces takes "cpu" only. All
        workers use the same GPU.

    Returns
    -------
    Result

    Raises
    ------
    ImportError
        matplotlib, or what the experiment or `device` needs, is not installed.
    TypeError, ValueError
        There is no such experiment, it has no such argument, or refuses its value; the same of
        `device`.
    RuntimeError
        Cells failed, or a process was killed; `device` asks for a GPU, and none will do.
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
    if find_device(device) is not None and not experiment.takes_device:
        raise ValueError(f'device is {device!r}; {name} traces, for which it must be "cpu"')
    processes = thread_count(None) if workers is None else integer("workers", workers, 1)
    import_module("pyexpr.plot")  # says what is missing, rather now than after minutes
    if "data" in experiment.arguments:
        import_module("pyexpr.torch")
    keywords = {**(experiment.quick if quick else {}), **given}
    folder = Path(directory)
    cells = folder / f"{name}-{_digest(keywords)}.jsonl"
    how: dict[str, Any] = {"path": cells, "progress": progress}
    if experiment.takes_device:
        how["device"] = device
    result = _run(experiment, keywords, processes, how)
    _keep(result, folder)
    cells.unlink(missing_ok=True)
    return result


def _keep(result: Result, folder: Path) -> None:
    from matplotlib import pyplot

    figure = result.plot()
    try:
        result.save(folder)
        with replaced(folder / f"{result.name}.png") as file:
            figure.savefig(file, format="png")
    finally:
        pyplot.close(figure)
    with replaced(folder / f"{result.name}.md") as file:
        file.write(page(result, f"{result.name}.png").encode())


def _digest(keywords: Mapping[str, Any]) -> str:
    """Of an experiment's arguments, and of the file that its data come from."""
    known = sha256(json.dumps(arguments_of(keywords), sort_keys=True).encode())
    data = keywords.get("data")
    if data is not None and Path(data).is_file():
        known.update(Path(data).read_bytes())
    return known.hexdigest()[:8]


def _run(
    experiment: Experiment,
    keywords: Mapping[str, Any],
    workers: int,
    how: Mapping[str, Any],
) -> Result:
    if workers == 1:
        return experiment.run(**keywords, **how)
    # PyTorch's threads do not survive a fork, and no GPU that has been opened does.
    with ProcessPoolExecutor(workers, get_context("spawn")) as executor:
        return experiment.run(**keywords, executor=executor, **how)
