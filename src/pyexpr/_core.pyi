from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Certificate = tuple[tuple[int, int, int, int, int, float], ...]

class Network:
    def __init__(
        self,
        layers: Sequence[tuple[_Floats, _Floats]],
        activations: Sequence[tuple[_Floats, _Floats, float]],
    ) -> None: ...
    def weight(self, i: int) -> _Floats: ...
    def bias(self, i: int) -> _Floats: ...

class Trace:
    @property
    def t(self) -> _Floats: ...
    @property
    def bends(self) -> NDArray[np.bool_]: ...
    @property
    def first_pattern(self) -> NDArray[np.int8]: ...
    @property
    def transitions(self) -> NDArray[np.void]: ...
    @property
    def certificate(self) -> _Certificate: ...

def count_activation_regions(
    network: Network, x0: _Floats, x1: _Floats, certify: bool = True
) -> tuple[int, _Certificate]: ...
def count_linear_regions(
    network: Network, x0: _Floats, x1: _Floats
) -> tuple[int, _Certificate]: ...
def count_transitions(
    network: Network, x0: _Floats, x1: _Floats
) -> tuple[NDArray[np.int64], _Certificate]: ...
def trace(network: Network, x0: _Floats, x1: _Floats) -> Trace: ...
def exact_breakpoint(
    network: Network,
    x0: _Floats,
    x1: _Floats,
    pieces: NDArray[np.int8],
    level: int,
    neuron: int,
    threshold: int,
) -> tuple[int, int]: ...
