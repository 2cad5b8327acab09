"""What pyexpr is compared with: regioncam, sampling with torch, and forward passes.

Each function here prepares all that can be prepared, and returns what is to be timed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
import torch.nn.functional as F
from networks import FORWARD_CHUNK, MOST_FORWARD_POINTS, Array, forward
from subjects import Chain, Subject

Array32 = npt.NDArray[np.float32]
Segments = Sequence[tuple[Array, Array]]

SAMPLING_CHUNK = 1024


def as_relus(chain: Chain) -> list[tuple[Array, Array]]:
    """Hidden layers with ReLUs alone, and the same breakpoints.

    hard_tanh(z) = relu(z + 1) - relu(z - 1) - 1.
    """
    if chain.activation == "relu":
        return chain.hidden
    doubled = []
    for i, (weight, bias) in enumerate(chain.hidden):
        if i > 0:
            weight, bias = np.hstack([weight, -weight]), bias - weight.sum(axis=1)
        doubled.append((np.vstack([weight, weight]), np.concatenate([bias + 1, bias - 1])))
    return doubled


def regioncam_bytes(chain: Chain, regions: int) -> int:
    """It keeps what enters and what leaves every ReLU, at every vertex, in float32."""
    return 4 * (regions + 1) * sum(2 * len(bias) for _, bias in as_relus(chain))


def regioncam_count(chain: Chain, segments: Segments) -> Callable[[], int]:
    """Activation regions as regioncam counts them, in float32.

    It makes an edge at every zero of every neuron. `Regioncam1D.through_points` covers another
    interval than that between the points, so we give it t in [-1/2, 1/2] and the segment as a
    linear layer; merged with the first one, as here, that is fastest. The output layer, which makes
    no edges, is left out. Its weights are [in, out].
    """
    regioncam = import_module("regioncam")
    (first, first_bias), *others = [(as_array32(w), as_array32(b)) for w, b in as_relus(chain)]
    modules = [regioncam.ReLU()]
    for weight, bias in others:
        modules += [regioncam.Linear(as_array32(weight.T), bias), regioncam.ReLU()]
    tail = regioncam.Sequential(*modules)
    lines = [(as_array32(x1 - x0), as_array32((x0 + x1) / 2)) for x0, x1 in segments]

    def count() -> int:
        total = 0
        for direction, middle in lines:
            line = regioncam.Regioncam1D(1.0)
            line.linear((first @ direction)[None], first @ middle + first_bias)
            line.add(tail)
            total += int(line.num_edges)
        return total

    return count


def as_array32(x: Array | Array32) -> Array32:
    return np.ascontiguousarray(x, dtype=np.float32)


def as_tensor(x: Array) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float32)


@dataclass(frozen=True)
class Sampler:
    """Hidden layers in float32, to compare the activation patterns of neighbouring samples."""

    layers: list[tuple[torch.Tensor, torch.Tensor]]
    activation: str

    @classmethod
    def of(cls, chain: Chain) -> Sampler:
        layers = [(as_tensor(weight), as_tensor(bias)) for weight, bias in chain.hidden]
        return cls(layers, chain.activation)

    def regions(self, segments: Segments, n_samples: int, n_looked_at: int | None = None) -> int:
        """One more than the changes between n samples of a segment, summed over the segments.

        `n_looked_at`: stop after so many of them.
        """
        shares = torch.linspace(0, 1, n_samples)[:n_looked_at, None]
        total = len(segments)
        with torch.inference_mode():
            for x0, x1 in segments:
                start, end = as_tensor(x0), as_tensor(x1)
                for first in range(0, len(shares) - 1, SAMPLING_CHUNK):
                    part = shares[first : first + SAMPLING_CHUNK + 1]  # one in the next chunk, too
                    total += self._changes(torch.lerp(start, end, part))
        return total

    def _changes(self, points: torch.Tensor) -> int:
        changed = torch.zeros(len(points) - 1, dtype=torch.bool)
        for weight, bias in self.layers:
            z = F.linear(points, weight, bias)
            letters = z > 0 if self.activation == "relu" else (z > -1).byte() + (z >= 1)
            changed |= (letters[1:] != letters[:-1]).any(dim=1)
            points = z.relu_() if self.activation == "relu" else z.clamp_(-1, 1)
        return int(changed.sum())


def points_on(segments: Segments, n_points: int) -> Array:
    """[N, inputs], evenly spaced; beyond MOST_FORWARD_POINTS, only so many."""
    each = max(2, min(n_points, MOST_FORWARD_POINTS) // len(segments))
    shares = np.linspace(0, 1, each)[:, None]
    return np.concatenate([x0 + shares * (x1 - x0) for x0, x1 in segments])


def forward_pass(subject: Subject, points: Array) -> Callable[[], None]:
    """Numpy in float64 on a chain, else onnxruntime in float32."""
    chain = subject.chain
    if chain is not None:
        return lambda: forward(chain.layers, chain.activation, points)
    assert subject.path is not None
    return _onnx_pass(subject.path, as_array32(points.reshape(-1, *subject.network.input_shape)))


def _onnx_pass(path: Path, points: Array32) -> Callable[[], None]:
    runtime = import_module("onnxruntime")
    model = onnx.load(path)
    given = {weights.name for weights in model.graph.initializer}
    (entry,) = (i for i in model.graph.input if i.name not in given)
    for end in (entry, *model.graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "batch"
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(model.SerializeToString(), options)

    def run() -> None:
        for start in range(0, len(points), FORWARD_CHUNK):
            session.run(None, {entry.name: points[start : start + FORWARD_CHUNK]})

    return run
