"""ONNX models: graphs of opsets 7 and later, as far as they are piecewise linear."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr import activations
from pyexpr.activations import PiecewiseLinear
from pyexpr.build import Builder, Tensor
from pyexpr.io import _windows
from pyexpr.io._operators import (
    Array,
    Refused,
    Value,
    add,
    average_pool,
    batch_normalization,
    between,
    checked_shape,
    concatenate,
    convolution,
    divide,
    extremum,
    floats,
    hard_sigmoid,
    index,
    like,
    matmul,
    max_pool,
    multiply,
    over,
    pad,
    prelu,
    present,
    scaled,
    subtract,
    tensor,
)
from pyexpr.io._windows import Frame
from pyexpr.network import Network
from pyexpr.operations import Indices

if TYPE_CHECKING:
    import onnx

_FLOATS = {1, 10, 11, 16}  # TensorProto's float, float16, double, bfloat16
_CURVED = {
    "Softmax", "LogSoftmax", "Sigmoid", "Tanh", "Elu", "Selu", "Gelu", "Exp", "Log", "Softplus",
    "Erf", "Swish", "Mish", "HardSwish",
}  # fmt: skip


def load(path: str | os.PathLike[str], output: str | None = None) -> Network:
    """The network in an .onnx file; see `from_model`.

    Weights in files beside it are read if they lie in its folder.

    Parameters
    ----------
    path
        The file.
    output
        The tensor to stop at; the model's only output if None.

    Returns
    -------
    Network

    Raises
    ------
    OSError
        The file, or one that holds its weights, cannot be opened.
    ValueError
        The file is malformed, or `from_model` refuses the model.
    ImportError
        onnx is not installed.
    """
    source = Path(path)
    model = _parsed(source.read_bytes(), f"{os.fspath(path)!r} is")
    return from_model(model, output, folder=source.parent)


def from_model(
    model: onnx.ModelProto | bytes, output: str | None = None, *, folder: Path | None = None
) -> Network:
    """A network that computes what the model does, for one sample.

    The first dimension of the input and the output counts samples and is left out, where it is 1
    or open. Weights become float64 exactly. Rounded to float64 are: a batch normalisation's scale
    and shift and their products with the weights before it, sums of two biases, products of
    weights with a Gemm's alpha or a constant factor, 1 / d of a constant divisor d, 1 / n of a mean
    over n entries, and where a HardSigmoid begins and ends.

    Parameters
    ----------
    model
        A ModelProto, or what its file holds.
    output
        The tensor to stop at; the model's only output if None.
    folder
        Where weights may lie that the model keeps in other files; none are read if None.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        The model is malformed, has open dimensions, more than one input or output, or an operator
        that is unknown or not piecewise linear: the message names its node.
    """
    if isinstance(model, bytes):
        model = _parsed(model, "model: these bytes are")
    return _Importer(model, folder).network(output)


def _parsed(content: bytes, what: str) -> onnx.ModelProto:
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            'ONNX models need onnx; install it by: pip install "pyexpr-regions[onnx]"'
        ) from error
    try:
        return onnx.load_model_from_string(content)
    except Exception as error:  # the parser's own class, which depends on its version
        raise ValueError(f"{what} no ONNX model: {error}") from error


class _Importer:
    def __init__(self, model: onnx.ModelProto, folder: Path | None) -> None:
        import onnx

        self._onnx = onnx
        self._model = model
        own = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
        self._opset = max(own, default=1)
        self._values: dict[str, Value] = {}
        self._folder = folder

    def network(self, output: str | None) -> Network:
        graph = self._model.graph
        for weights in graph.initializer:
            self._values[weights.name] = self._constant(weights)
        name, shape = self._input()
        self._builder = Builder(_without_samples(shape))
        self._values[name] = self._builder.input.reshape(shape)
        wanted = output or self._only_output()
        for node in graph.node:
            if wanted in self._values:
                break
            self._run(node)
        if wanted not in self._values:
            raise ValueError(f"output is {wanted!r}; the model has no such tensor")
        result = self._values[wanted]
        if not isinstance(result, Tensor):
            raise ValueError(f"output is {wanted!r}, which does not depend on the input")
        return Network(self._builder.graph(result.reshape(_without_samples(result.shape))))

    def _input(self) -> tuple[str, tuple[int, ...]]:
        given = [i for i in self._model.graph.input if i.name not in self._values]
        if len(given) != 1:
            names = ", ".join(repr(i.name) for i in given) or "none"
            raise ValueError(f"model: expected one input, found {names}")
        kind = given[0].type.tensor_type
        if kind.elem_type not in _FLOATS:
            raise ValueError(f"model: input {given[0].name!r} does not hold floats")
        shape = []
        for axis, dim in enumerate(kind.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                shape.append(dim.dim_value)
            elif axis == 0:
                shape.append(1)
            else:
                raise ValueError(
                    f"model: dimension {axis} of input {given[0].name!r} is open "
                    "; only the first may be: export the model with fixed sizes"
                )
        return given[0].name, checked_shape(shape)

    def _only_output(self) -> str:
        names: list[str] = [o.name for o in self._model.graph.output]
        if len(names) != 1:
            raise ValueError(f"model: it has the outputs {names}; say which by output=")
        return names[0]

    def _constant(self, tensor: onnx.TensorProto) -> Array:
        shape = checked_shape(tensor.dims)
        external = self._onnx.TensorProto.EXTERNAL
        if tensor.HasField("data_location") and tensor.data_location == external:
            tensor = self._read_external(tensor, shape)
        try:
            return self._onnx.numpy_helper.to_array(tensor).reshape(shape)
        except Exception as error:
            raise ValueError(f"model: initializer {tensor.name!r} is malformed: {error}") from error

    def _read_external(self, tensor: onnx.TensorProto, shape: tuple[int, ...]) -> onnx.TensorProto:
        """With its data inside, from a file that must lie in the model's folder."""
        where = {entry.key: entry.value for entry in tensor.external_data}
        name = f"model: initializer {tensor.name!r}"
        if self._folder is None:
            raise ValueError(f"{name} keeps its data in another file; give the model's path")
        folder = self._folder.resolve()
        file = (folder / where.get("location", "")).resolve()
        if not file.is_relative_to(folder) or not file.is_file():
            raise ValueError(f"{name} names the file {where.get('location')!r}, outside its folder")
        try:
            offset, length = int(where.get("offset", 0)), int(where.get("length", -1))
        except ValueError:
            raise ValueError(f"{name} has a malformed place in {file.name!r}") from None
        size = file.stat().st_size
        length = size - offset if length < 0 else length
        if offset < 0 or offset + length > size or length > 16 * max(1, prod(shape)):
            raise ValueError(f"{name} lies beyond the end of {file.name!r}")
        with file.open("rb") as stream:
            stream.seek(offset)
            data = stream.read(length)
        inside = self._onnx.TensorProto(
            name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, raw_data=data
        )
        return inside

    def _run(self, node: onnx.NodeProto) -> None:
        what = f"node {node.name!r} ({node.op_type})" if node.name else f"a {node.op_type} node"
        if node.domain not in ("", "ai.onnx"):
            raise ValueError(f"model: {what} belongs to {node.domain!r}; only ONNX's own are known")
        inputs: list[Value | None] = []
        for name in node.input:
            if name and name not in self._values:
                raise ValueError(f"model: {what} reads {name!r}, which no earlier node makes")
            inputs.append(self._values[name] if name else None)
        attributes = {a.name: self._attribute(what, a) for a in node.attribute}
        if node.op_type in _CURVED and any(isinstance(i, Tensor) for i in inputs):
            raise ValueError(
                f"model: {what} is not piecewise linear; to stop before it, "
                f"give output={node.input[0]!r}"
            )
        operator = _OPERATORS.get(node.op_type)
        if operator is None:
            raise ValueError(
                f"model: {what} is not supported; these are: {', '.join(sorted(_OPERATORS))}"
            )
        try:
            results = operator(
                _Call(self._builder, self._opset, attributes, len(node.output)), *inputs
            )
        except Refused as refusal:
            raise ValueError(f"model: {what}: {refusal}") from None
        except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
            raise ValueError(f"model: {what} is malformed: {error}") from error
        outputs = results if isinstance(results, list) else [results]
        for name, value in zip(node.output, outputs, strict=False):
            if not name:
                continue
            if name in self._values:
                raise ValueError(f"model: {what} makes {name!r} a second time")
            self._values[name] = value

    def _attribute(self, what: str, attribute: onnx.AttributeProto) -> Any:
        value = self._onnx.helper.get_attribute_value(attribute)
        if isinstance(value, self._onnx.TensorProto):
            return self._constant(value)
        if isinstance(value, self._onnx.GraphProto):
            raise ValueError(f"model: {what} holds a graph of its own, which is not supported")
        return value.decode() if isinstance(value, bytes) else value


class _Call:
    """An operator's surroundings: its attributes, and where its results go."""

    def __init__(
        self, builder: Builder, opset: int, attributes: dict[str, Any], n_outputs: int
    ) -> None:
        self.builder = builder
        self.opset = opset
        self.attributes = attributes
        self.n_outputs = n_outputs

    def get(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)


def _without_samples(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape


def _integers(array: Value | None, what: str) -> list[int]:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
        raise Refused(f"{what} must be a constant of integers")
    return [int(i) for i in array.reshape(-1)]


# --- activations ---


def _function(make: Callable[[_Call], PiecewiseLinear]) -> Callable[..., Value]:
    def apply(call: _Call, x: Value | None, *_: Value | None) -> Value:
        return call.builder.activation(tensor(x), make(call))

    return apply


def _prelu(call: _Call, x: Value | None, slope: Value | None) -> Value:
    return prelu(call.builder, tensor(x), floats(slope, "slope"))


def _clip(call: _Call, x: Value | None, *limits: Value | None) -> Value:
    low, high = call.get("min"), call.get("max")
    if call.opset >= 11:
        low, high = (
            None if limit is None else float(floats(limit, "a limit").reshape(()))
            for limit in (*limits, None, None)[:2]
        )
    return between(call.builder, tensor(x), low, high)


def _hard_sigmoid(call: _Call, x: Value | None) -> Value:
    alpha, beta = call.get("alpha", float(np.float32(0.2))), call.get("beta", 0.5)
    return hard_sigmoid(call.builder, tensor(x), alpha, beta)


def _extremum(*, largest: bool) -> Callable[..., Value]:
    def apply(call: _Call, *values: Value | None) -> Value:
        return extremum(call.builder, [present(v) for v in values], largest=largest)

    return apply


# --- sums and products ---


def _binary(apply: Callable[[Builder, Value, Value], Value]) -> Callable[..., Value]:
    return lambda call, x, y: apply(call.builder, present(x), present(y))


def _negate(call: _Call, x: Value | None) -> Value:
    return scaled(call.builder, tensor(x), -np.ones(()))


def _gemm(call: _Call, a: Value | None, b: Value | None, c: Value | None = None) -> Value:
    x = tensor(a)
    x = x.transpose((1, 0)) if call.get("transA", 0) else x
    weight = floats(b, "B")
    weight = weight if call.get("transB", 0) else weight.T
    bias = np.zeros(()) if c is None else floats(c, "C") * call.get("beta", 1.0)
    product = call.builder.dense(
        x, np.ascontiguousarray(weight * call.get("alpha", 1.0)), np.zeros(len(weight))
    )
    return call.builder.scale_shift(product, np.ones(()), bias)


def _batch_normalization(call: _Call, x: Value | None, *constants: Value | None) -> Value:
    if call.get("training_mode", 0):
        raise Refused("it is in training mode")
    names = ("scale", "B", "mean", "var")
    scale, shift, mean, variance = (
        floats(c, name) for c, name in zip(constants, names, strict=True)
    )
    epsilon = call.get("epsilon", float(np.float32(1e-5)))
    return batch_normalization(call.builder, tensor(x), scale, shift, mean, variance, epsilon)


# --- windows ---


def _frame(call: _Call, x: Tensor, extent: Sequence[int]) -> Frame:
    return _windows.frame(call.attributes, x.shape[2:], extent)


def _convolution(call: _Call, x: Value | None, w: Value | None, b: Value | None = None) -> Value:
    source, kernel = tensor(x), floats(w, "W")
    bias = np.zeros(len(kernel)) if b is None else floats(b, "B")
    frame = _frame(call, source, kernel.shape[2:])
    return convolution(call.builder, source, kernel, bias, frame, int(call.get("group", 1)))


def _average_pool(call: _Call, x: Value | None) -> Value:
    source = tensor(x)
    with_padding = bool(call.get("count_include_pad", 0))
    frame = _frame(call, source, call.get("kernel_shape"))
    return average_pool(call.builder, source, frame, with_padding=with_padding)


def _max_pool(call: _Call, x: Value | None) -> Value:
    source = tensor(x)
    return max_pool(call.builder, source, _frame(call, source, call.get("kernel_shape")))


def _global_pool(reduce: Callable[[Builder, Tensor, Indices], Tensor]) -> Callable[..., Value]:
    def apply(call: _Call, x: Value | None) -> Value:
        source = tensor(x)
        return over(partial(reduce, call.builder), source, range(2, len(source.shape)), keep=True)

    return apply


def _reduce(reduce: Callable[[Builder, Tensor, Indices], Tensor]) -> Callable[..., Value]:
    def apply(call: _Call, x: Value | None, axes: Value | None = None) -> Value:
        source = tensor(x)
        chosen, keep = _reduced(call, source, axes)
        return over(partial(reduce, call.builder), source, chosen, keep=keep)

    return apply


def _reduced(call: _Call, x: Tensor, axes: Value | None) -> tuple[Sequence[int], bool]:
    """The axes that a reduction goes over, and whether they stay, with size 1."""
    chosen = call.get("axes") if axes is None else _integers(axes, "axes")
    if not chosen:
        chosen = [] if call.get("noop_with_empty_axes", 0) else range(len(x.shape))
    return chosen, bool(call.get("keepdims", 1))


# --- shapes ---


def _reshape(call: _Call, x: Value | None, shape: Value | None = None) -> Value:
    source = present(x)
    wanted = call.get("shape") if shape is None else _integers(shape, "shape")
    if not call.get("allowzero", 0):
        wanted = [source.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    fixed = -1 not in wanted and prod(wanted) != prod(source.shape)
    if fixed and prod(wanted[1:]) == prod(source.shape):
        wanted = [1, *wanted[1:]]  # the model was exported for another number of samples
    return source.reshape(tuple(wanted))


def _flatten(call: _Call, x: Value | None) -> Value:
    source = present(x)
    axis = call.get("axis", 1)
    axis = axis + len(source.shape) if axis < 0 else axis
    return source.reshape((prod(source.shape[:axis]), prod(source.shape[axis:])))


def _squeeze(call: _Call, x: Value | None, axes: Value | None = None) -> Value:
    source = present(x)
    chosen = call.get("axes") if axes is None else _integers(axes, "axes")
    rank = len(source.shape)
    if chosen is None:
        chosen = [i for i, size in enumerate(source.shape) if size == 1]
    dropped = {axis % rank for axis in chosen}
    if any(source.shape[axis] != 1 for axis in dropped):
        raise Refused(f"axes {sorted(dropped)} of shape {source.shape} are not all 1")
    return source.reshape(tuple(s for i, s in enumerate(source.shape) if i not in dropped))


def _unsqueeze(call: _Call, x: Value | None, axes: Value | None = None) -> Value:
    source = present(x)
    chosen = call.get("axes") if axes is None else _integers(axes, "axes")
    rank = len(source.shape) + len(chosen)
    added = {axis % rank for axis in chosen}
    sizes = iter(source.shape)
    return source.reshape(tuple(1 if i in added else next(sizes) for i in range(rank)))


def _transpose(call: _Call, x: Value | None) -> Value:
    source = present(x)
    return source.transpose(call.get("perm") or list(range(len(source.shape)))[::-1])


def _pad(
    call: _Call,
    x: Value | None,
    pads: Value | None = None,
    value: Value | None = None,
    axes: Value | None = None,
) -> Value:
    source = tensor(x)
    rank = len(source.shape)
    widths = call.get("pads") if pads is None else _integers(pads, "pads")
    chosen = range(rank) if axes is None else [a % rank for a in _integers(axes, "axes")]
    around = [(0, 0)] * rank
    for i, axis in enumerate(chosen):
        around[axis] = (widths[i], widths[i + len(chosen)])
    mode = call.get("mode", "constant")
    fill = call.get("value", 0.0) if value is None else float(floats(value, "value").reshape(()))
    return pad(call.builder, source, around, mode, fill)


def _slice(call: _Call, x: Value | None, *bounds: Value | None) -> Value:
    source = present(x)
    rank = len(source.shape)
    if call.opset < 10:
        starts, ends, axes = call.get("starts"), call.get("ends"), call.get("axes")
        steps = None
    else:
        starts, ends, axes, steps = (
            None if b is None else _integers(b, "a bound") for b in (*bounds, None, None)[:4]
        )
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    chosen = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # To Python, -1 is the last entry, not the one before the first.
        stop = None if step < 0 and end < -source.shape[axis] else end
        chosen[axis % rank] = slice(start, stop, step)
    taken = index(source)[tuple(chosen)]
    if taken.size == 0:
        raise Refused("nothing is left")
    return like(source, taken)


def _gather(call: _Call, x: Value | None, indices: Value | None) -> Value:
    source = present(x)
    if not isinstance(indices, np.ndarray) or indices.dtype.kind not in "iu":
        raise Refused("its indices must be constant integers")
    return like(source, np.take(index(source), indices, axis=call.get("axis", 0)))


def _split(call: _Call, x: Value | None, sizes: Value | None = None) -> list[Value]:
    source = present(x)
    axis = call.get("axis", 0)
    lengths = call.get("split") if sizes is None else _integers(sizes, "split")
    if lengths is None:
        count = int(call.get("num_outputs", call.n_outputs))
        part = -(-source.shape[axis] // count)
        lengths = [part] * (count - 1) + [source.shape[axis] - part * (count - 1)]
    if sum(lengths) != source.shape[axis] or min(lengths) < 1:
        raise Refused(f"its parts are {lengths} of {source.shape[axis]}")
    parts = np.split(index(source), np.cumsum(lengths)[:-1], axis=axis)
    return [like(source, part) for part in parts]


def _concatenate(call: _Call, *parts: Value | None) -> Value:
    return concatenate(call.builder, [present(part) for part in parts], int(call.get("axis", 1)))


def _expand(call: _Call, x: Value | None, shape: Value | None) -> Value:
    source = present(x)
    wanted = np.broadcast_shapes(source.shape, tuple(_integers(shape, "shape")))
    return like(source, np.broadcast_to(index(source), checked_shape(wanted)))


def _identity(call: _Call, x: Value | None) -> Value:
    return present(x)


def _dropout(
    call: _Call, x: Value | None, ratio: Value | None = None, training: Value | None = None
) -> Value:
    if training is not None and np.any(index(training)):
        raise Refused("it is in training mode")
    return present(x)


def _cast(call: _Call, x: Value | None) -> Value:
    to = call.get("to")
    if isinstance(x, Tensor):
        if to not in _FLOATS:
            raise Refused("a cast to integers is not piecewise linear")
        return x
    import onnx

    return np.asarray(present(x)).astype(onnx.helper.tensor_dtype_to_np_dtype(to))


def _constant(call: _Call) -> Value:
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if name in call.attributes:
            return np.asarray(call.get(name))
    raise Refused("its value is of a kind that is not supported")


def _shape(call: _Call, x: Value | None) -> Value:
    return np.array(present(x).shape, dtype=np.int64)[call.get("start", 0) : call.get("end")]


_OPERATORS: dict[str, Callable[..., Value | list[Value]]] = {
    "Abs": _function(lambda call: activations.Abs()),
    "Add": _binary(add),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concatenate,
    "Constant": _constant,
    "Conv": _convolution,
    "Div": _binary(divide),
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool(Builder.mean_of),
    "GlobalMaxPool": _global_pool(Builder.maximum),
    "HardSigmoid": _hard_sigmoid,
    "Identity": _identity,
    "LeakyRelu": _function(
        lambda call: activations.LeakyReLU(call.get("alpha", float(np.float32(0.01))))
    ),
    "MatMul": _binary(matmul),
    "Max": _extremum(largest=True),
    "MaxPool": _max_pool,
    "Min": _extremum(largest=False),
    "Mul": _binary(multiply),
    "Neg": _negate,
    "PRelu": _prelu,
    "Pad": _pad,
    "ReduceMax": _reduce(Builder.maximum),
    "ReduceMean": _reduce(Builder.mean_of),
    "Relu": _function(lambda call: activations.ReLU()),
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Sub": _binary(subtract),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
