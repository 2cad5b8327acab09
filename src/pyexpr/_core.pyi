from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Certificate = tuple[tuple[int, int, int, int, int, float], ...]

class Operation:
    @property
    def weight(self) -> _Floats: ...

def dense(weight: _Floats) -> Operation: ...
def convolution(
    kernel: _Floats,
    size: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
    dilations: tuple[int, int],
    groups: int,
) -> Operation: ...
def sparse(
    inputs: int, first: NDArray[np.int64], column: NDArray[np.int64], weight: _Floats
) -> Operation: ...

class AffineMap:
    def __init__(
        self, inputs: int, bias: _Floats, blocks: Sequence[tuple[int, int, Operation]]
    ) -> None: ...
    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def terms(self) -> int: ...
    @property
    def frobenius_norm(self) -> float: ...
    def spectral_norm(self) -> float: ...
    @property
    def bias(self) -> _Floats: ...
    @property
    def row_norms(self) -> _Floats: ...
    @property
    def blocks(self) -> list[Any]: ...

class Network:
    def __init__(
        self,
        maps: Sequence[AffineMap],
        activations: Sequence[tuple[_Floats, _Floats, float]],
        layers: Sequence[int | Sequence[tuple[int, NDArray[np.int32]]]],
    ) -> None: ...
    @property
    def depth(self) -> int: ...
    @property
    def pools(self) -> bool: ...
    @property
    def extended_levels(self) -> int: ...
    def map(self, level: int) -> AffineMap: ...
    def activation(self, level: int) -> tuple[_Floats, _Floats, _Floats, _Floats, float, bool]: ...
    def lipschitz(self, level: int) -> float: ...

class Piece: ...

def line(x0: _Floats, x1: _Floats) -> Piece: ...
def polyline(points: _Floats, closed: bool) -> Trajectory: ...
def rational_bezier(
    points: _Floats, mixing: _Floats, weights: _Floats, start: float, end: float
) -> Piece: ...

class Trajectory:
    def __init__(self, pieces: Sequence[Piece], closed: bool) -> None: ...
    @property
    def closed(self) -> bool: ...
    @property
    def ends_of_lines(self) -> tuple[_Floats, _Floats] | None: ...

def segments(
    x0: _Floats,
    starts: NDArray[np.int64],
    x1: _Floats,
    ends: NDArray[np.int64],
    closed: bool = ...,
) -> Trajectory: ...

class Trace:
    @property
    def t(self) -> _Floats: ...
    @property
    def piece(self) -> NDArray[np.int64]: ...
    @property
    def bends(self) -> NDArray[np.bool_]: ...
    @property
    def first_pattern(self) -> NDArray[np.int16]: ...
    @property
    def transitions(self) -> NDArray[np.void]: ...
    @property
    def certificate(self) -> _Certificate: ...

_Progress = Callable[[float], object] | None

def count_activation_regions(
    network: Network,
    trajectory: Trajectory,
    threads: int = 1,
    progress: _Progress = None,
    certify: bool = True,
) -> tuple[int, _Certificate]: ...
def count_linear_regions(
    network: Network, trajectory: Trajectory, threads: int = 1, progress: _Progress = None
) -> tuple[int, _Certificate]: ...
def count_patterns(
    network: Network, trajectory: Trajectory, threads: int = 1, progress: _Progress = None
) -> tuple[int, _Certificate]: ...
def count_transitions(
    network: Network, trajectory: Trajectory, threads: int = 1, progress: _Progress = None
) -> tuple[NDArray[np.int64], _Certificate]: ...
def count_lines(
    network: Network,
    what: str,
    x0: _Floats,
    starts: NDArray[np.int64],
    x1: _Floats,
    ends: NDArray[np.int64],
    edges: NDArray[np.int64],
    first: int = 0,
    threads: int = 1,
    progress: _Progress = None,
) -> tuple[NDArray[np.int64], _Certificate]: ...
def trace(
    network: Network,
    trajectory: Trajectory,
    threads: int = 1,
    progress: _Progress = None,
    most_bytes: int = ...,
) -> Trace: ...
def stream(
    network: Network,
    trajectory: Trajectory,
    block: int,
    emit: Callable[[Trace], object],
    progress: _Progress = None,
) -> _Certificate: ...

class TraceTooLarge(MemoryError): ...

def exact_polynomial(
    network: Network,
    piece: Piece,
    letters: NDArray[np.int16],
    layer: int,
    neuron: int,
    before: int,
    after: int,
) -> list[int]: ...

kernels: Mapping[str, tuple[str, ...]]
kernel_source: str

def run_kernel(name: str, packed: NDArray[np.uint64], count: int) -> None: ...

class NotFinite(ArithmeticError): ...

class Cells:
    def __init__(self, arrays: Mapping[str, Any]) -> None: ...

class Referee:
    def __init__(self, network: Network, trajectory: Trajectory, threads: int) -> None: ...
    def settle(
        self, levels: Sequence[Cells], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> dict[str, Any]: ...
    def bends(
        self, levels: Sequence[Cells], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> NDArray[np.uint8]: ...
    def take_certificate(self) -> _Certificate: ...

class Collector:
    def __init__(self, network: Network, trajectory: Trajectory, what: str) -> None: ...
    @property
    def reads_outputs(self) -> bool: ...
    def cells(self, referee: Referee, levels: Sequence[Cells]) -> None: ...
    def finish(self) -> tuple[Any, _Certificate]: ...
