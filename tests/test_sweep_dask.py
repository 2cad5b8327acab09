"""Sweeps by the processes of a dask cluster, of which one is killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from pyexpr.experiments.sweep import sweep

distributed = pytest.importorskip("distributed", reason="distributed is not installed")

PATIENCE = 120.0  # seconds


def waiting(i: int, folder: str) -> dict[str, Any]:
    """Waits from the fifth on, as long as there is a file `hold`."""
    end = monotonic() + PATIENCE
    while i >= 4 and Path(folder, "hold").exists() and monotonic() < end:
        sleep(0.01)
    return {"square": i * i, "third": i / 3}


def failing(i: int, folder: str) -> dict[str, Any]:
    if i == 1 and Path(folder, "hold").exists():
        raise ArithmeticError
    return waiting(i, folder)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_cluster_gives_the_same_table(client: Any, tmp_path: Path) -> None:
    cells = {"width": [3, 5], "depth": [1, 2], "seed": range(4)}
    table = sweep(cells, executor=client.get_executor(), path=tmp_path / "sweep.jsonl")
    table.raise_failures()
    assert repr(table.rows) == repr(sweep(cells).rows)


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_a_killed_worker_loses_nothing(client: Any, tmp_path: Path) -> None:
    path, hold = tmp_path / "sweep.jsonl", tmp_path / "hold"
    cells = {"i": range(12), "folder": [str(tmp_path)]}
    expected = sweep(cells, waiting)
    hold.touch()
    pids: dict[str, int] = client.run(os.getpid)
    killed: list[int] = []

    def kill(share: float) -> None:
        if len(path.read_bytes().splitlines()) > 3 and not killed:
            killed.append(min(pids.values()))
            os.kill(killed[0], signal.SIGKILL)
            hold.unlink()

    table = sweep(cells, waiting, executor=client.get_executor(), path=path, progress=kill)
    table.raise_failures()
    assert killed
    assert repr(table.rows) == repr(expected.rows)
    assert len(path.read_bytes().splitlines()) == 13
    client.wait_for_workers(2, timeout=PATIENCE)  # the nanny starts another
    assert killed[0] not in client.run(os.getpid).values()


def test_an_interrupted_sweep_goes_on_by_the_same_client(client: Any, tmp_path: Path) -> None:
    """Cells that the first one cancels or sees fail are not those of the second to dask."""
    path, hold = tmp_path / "sweep.jsonl", tmp_path / "hold"
    cells = {"i": range(12), "folder": [str(tmp_path)]}
    expected = sweep(cells, failing)
    hold.touch()

    def interrupt(share: float) -> None:
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(cells, failing, executor=client.get_executor(), path=path, progress=interrupt)
    hold.unlink()
    table = sweep(cells, failing, executor=client.get_executor(), path=path)
    table.raise_failures()
    assert repr(table.rows) == repr(expected.rows)
