"""What the filter leaves open goes to the core's later tiers, on the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._batches import Indices
from pyexpr.cuda.devices import Device
from pyexpr.cuda.events import CurvePoints, Filtered, Found, Points, merged
from pyexpr.cuda.partition import BOUNDS, Arrays, CurvePartition, Partition, Places

_MOST_BYTES = 1 << 28  # of rows at a time


class Settlement:
    """The core's predicates, for cells of a device."""

    def __init__(
        self,
        device: Device,
        cores: Sequence[_core.Network],
        trajectory: Callable[[], _core.Trajectory],
        pieces_of_network: int,
        threads: int,
    ) -> None:
        """`trajectory` gives that of every network, when it is first needed."""
        self._device = device
        self._cores = cores
        self._trajectory = trajectory
        self._pieces = pieces_of_network
        self._threads = threads
        self._referees: dict[int, _core.Referee] = {}

    def settle(self, lineage: Sequence[Partition], filtered: Filtered) -> Found:
        """What happens on all cells of the last partition."""
        p = lineage[-1]
        piece = self._device.download(p.vertices.piece)
        hard = self._device.download(filtered.hard) != 0
        curved = isinstance(p, CurvePartition)
        blocks = _blocks(hard if curved else _widened(hard, piece[:-1] == piece[1:]))
        found = filtered.found
        for first, last in self._groups(blocks, piece, lineage):
            network = int(piece[first[0]]) // self._pieces
            cells = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
            vertices = np.concatenate(
                [np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]
            )
            chain = self._chain(lineage, network, vertices, _with_junk(first, last))
            start = np.searchsorted(vertices, first)
            result = self._referee(network).settle(_as_cells(chain), start, start + (last - first))
            host = self._upload(result, cells, curved)
            found = merged(
                self._device,
                Filtered(found, filtered.hard, True),
                host,
                self._device.upload(cells),
                self._device.upload(vertices),
            )
        return found

    def bends(self, lineage: Sequence[Partition], vertices: Indices) -> npt.NDArray[np.bool_]:
        """Whether the output's slope changes, at vertices between cells of the last partition."""
        p = lineage[-1]
        piece = self._device.download(p.vertices.piece[self._device.upload(vertices)])
        out = np.zeros(len(vertices), bool)
        for network in np.unique(piece // self._pieces):
            at = np.flatnonzero(piece // self._pieces == network)
            out[at] = self._bends(lineage, int(network), vertices[at])
        return out

    def bend_between(self, left: list[Arrays], right: list[Arrays]) -> bool:
        """The same between two cells of which the second begins where the first ends."""
        network = int(left[-1]["network"])
        joined = [_side_by_side(a, b) for a, b in zip(left, right, strict=True)]
        bends = self._referee(network).bends(_as_cells(joined), np.array([0]), np.array([3]))
        return bool(bends[0])

    def cell(self, lineage: Sequence[Partition], number: int) -> list[Arrays]:
        """A cell of the last partition with all that led to it."""
        piece = int(lineage[-1].vertices.piece[number])
        vertices = np.array([number, number + 1])
        return self._chain(lineage, piece // self._pieces, vertices, vertices[:1], rows=False)

    def take_certificates(self) -> list[Any]:
        return [referee.take_certificate() for referee in self._referees.values()]

    def _referee(self, network: int) -> _core.Referee:
        if network not in self._referees:
            core = self._cores[network]
            self._referees[network] = _core.Referee(core, self._trajectory(), self._threads)
        return self._referees[network]

    def _bends(
        self, lineage: Sequence[Partition], network: int, at: Indices
    ) -> npt.NDArray[np.uint8]:
        # Each block has its own vertices, also where two share one.
        vertices = (at[:, None] + np.array([-1, 0, 1])).ravel()
        cells = (at[:, None] + np.array([-1, 0, 0])).ravel()[:-1]
        cells[2::3] = at[1:] - 1
        chain = self._chain(lineage, network, vertices, cells, rows=False)
        first = 3 * np.arange(len(at))
        return self._referee(network).bends(_as_cells(chain), first, first + 2)

    def _groups(
        self,
        blocks: tuple[Indices, Indices],
        piece: Indices,
        lineage: Sequence[Partition],
    ) -> Iterator[tuple[Indices, Indices]]:
        """Blocks of one network whose rows do not take too much memory."""
        first, last = blocks
        row_bytes = sum(8 * p.rows.shape[1] for p in lineage) * lineage[-1].degree
        begin = 0
        while begin < len(first):
            network = piece[first[begin]] // self._pieces
            end, size = begin, 0
            while end < len(first) and piece[first[end]] // self._pieces == network:
                size += 2 * int(last[end] - first[end] + 1) * row_bytes
                if end > begin and size > _MOST_BYTES:
                    break
                end += 1
            yield first[begin:end], last[begin:end]
            begin = end

    def _chain(
        self,
        lineage: Sequence[Partition],
        network: int,
        vertices: Indices,
        cells: Indices,
        rows: bool = True,
    ) -> list[Arrays]:
        """Vertices and cells of the last partition, and the cells that these came from, each with
        vertices of its own. Without `rows` only the last level has some."""
        chain = [self._arrays(lineage[-1], network, vertices, cells, True)]
        for p in lineage[-2::-1]:
            ancestors, index = np.unique(chain[-1]["parent"], return_inverse=True)
            chain[-1]["parent"] = 2 * index.reshape(-1)
            own = np.stack([ancestors, ancestors + 1], axis=1).ravel()
            between = np.stack([ancestors, ancestors], axis=1).ravel()[1:]
            chain.append(self._arrays(p, network, own, between, rows))
        return chain[::-1]

    def _arrays(
        self, p: Partition, network: int, vertices: Indices, cells: Indices, rows: bool
    ) -> Arrays:
        upload = self._device.upload
        at = Places(upload(vertices), upload(_rows(vertices, p.degree)), upload(cells))
        out = p.on_host(self._device, at, network, rows)
        out["piece"] = out["piece"] - network * self._pieces
        out["network"] = network
        return out

    def _upload(self, result: Arrays, cells: Indices, curved: bool) -> Found:
        """As of all cells."""
        upload = self._device.upload
        on_device = {name: upload(array) for name, array in result.items()}
        left, crossing = (on_device[name].reshape(len(cells), -1) for name in ("left", "crossing"))
        isolating = [on_device[name] for name in ("root", "low", "high") if curved]
        points = (CurvePoints if curved else Points)(
            upload(cells[result["cell"]]),
            on_device["t"],
            on_device["tau"],
            on_device["neuron"],
            on_device["threshold"],
            on_device["point_displacement"],
            on_device["event_neuron"],
            on_device["event_threshold"],
            on_device["event_point"],
            *isolating,
        )
        return Found(left, crossing, on_device["displacement"], points)


def _widened(hard: npt.NDArray[np.bool_], is_cell: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Hard cells and their neighbours, by which slopes are measured."""
    hard = hard & is_cell
    beside = np.zeros_like(hard)
    beside[1:] |= hard[:-1]
    beside[:-1] |= hard[1:]
    return hard | (beside & is_cell)


def _blocks(hard: npt.NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Runs of such cells: where each begins, and where the next cell would be."""
    edges = np.diff(np.concatenate([[0], hard.astype(np.int8), [0]]))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def _with_junk(first: Indices, last: Indices) -> Indices:
    """The blocks' cells; between two blocks, where there is none, the later one's first."""
    parts = []
    for begin, end, following in zip(first, last, [*first[1:], None], strict=True):
        parts.append(np.arange(begin, end))
        if following is not None:
            parts.append(np.array([following]))
    return np.concatenate(parts)


def _rows(vertices: Indices, degree: int) -> Indices:
    """Of the cells between these vertices; where two are no neighbours, any rows."""
    is_cell = (np.diff(vertices) == 1)[:, None]
    rows = degree * vertices[:-1, None] + np.arange(degree) * is_cell
    return np.append(rows, degree * vertices[-1])


def _as_cells(chain: list[Arrays]) -> list[_core.Cells]:
    return [_core.Cells(arrays) for arrays in chain]


def _side_by_side(left: Arrays, right: Arrays) -> Arrays:
    """Two single cells, each with its own vertices and rows, as the first and the last of three."""
    out = dict(left)
    junk = left.get("degree", 1) - 1
    for name in ("t", "tau", "level", "neuron", "threshold", "piece", "root", "low", "high"):
        if name in left:
            out[name] = np.concatenate([left[name], right[name]])
    for name in (*BOUNDS, "rows", "lows", "weights"):
        if left.get(name) is not None:
            out[name] = np.concatenate([left[name], *[left[name][-1:]] * junk, right[name]])
    for name in ("letters", "speeds"):
        if name in left:
            out[name] = np.concatenate([left[name], right[name], right[name]])
    out["parent"] = np.concatenate([left["parent"], right["parent"] + 2, right["parent"] + 2])
    out["speed"] = max(left["speed"], right["speed"])
    return out
