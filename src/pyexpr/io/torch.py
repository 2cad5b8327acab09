"""PyTorch modules, as torch.export captures them from the module and the shape of its input."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pyexpr import activations
from pyexpr.activations import PiecewiseLinear
from pyexpr.build import Builder, Tensor
from pyexpr.io import _operators as op
from pyexpr.io._operators import Array, Refused, Value
from pyexpr.io._windows import Frame
from pyexpr.network import Network
from pyexpr.operations import Indices

if TYPE_CHECKING:
    import torch

_Apply: TypeAlias = Callable[..., Any]

_exporting = Lock()  # torch's export has one state for all threads

_CURVED = {
    "softmax", "log_softmax", "sigmoid", "tanh", "elu", "selu", "celu", "gelu", "silu", "mish",
    "softplus", "exp", "log", "hardswish", "logsigmoid", "layer_norm", "group_norm", "pow", "sqrt",
    "scaled_dot_product_attention",
}  # fmt: skip


def from_module(
    module: torch.nn.Module, input_shape: Sequence[int], output: str | None = None
) -> Network:
    """A network that computes what the module does, for one sample.

    The module is given samples in batches of one; the network has no such dimension. Weights become
    float64 exactly. Rounded to float64 are: a batch normalisation's scale and shift and their
    products with the weights before it, sums of two biases, products of weights with constant
    factors, 1 / d of a constant divisor d, and 1 / n of a mean over n entries.

    Parameters
    ----------
    module
        Of tensors to a tensor, without control flow that depends on their values, in evaluation
        mode; it is not changed.
    input_shape
        The shape of one sample, without the batch's dimension.
    output
        The operation to stop at, by its name in `torch.export.export(...).graph`; the module's
        output if None.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        The module is in training mode, torch cannot export it, it has more than one output, or an
        operation that is unknown or not piecewise linear: the message names it.
    """
    if module.training:
        raise ValueError("module: it is in training mode; call its eval() first")
    shape = op.checked_shape((1, *input_shape))
    program = _export(module, shape)
    builder = Builder(shape[1:])
    values = _constants(program)
    (name,) = program.graph_signature.user_inputs
    values[name] = builder.input.reshape(shape)
    result = _Interpreter(builder, values).run(program.graph, output)
    inner = result.shape[1:] if len(result.shape) > 1 and result.shape[0] == 1 else result.shape
    return Network(builder.graph(result.reshape(inner)))


def _export(module: torch.nn.Module, shape: tuple[int, ...]) -> torch.export.ExportedProgram:
    import torch

    like = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(()))
    sample = torch.zeros(shape, dtype=like.dtype, device=like.device)
    try:
        with _exporting, torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch says to itself
            program = torch.export.export(module, (sample,))
            # Operations that change their arguments are made into others that do not.
            changing = any(_name(node).endswith("_") for node in program.graph.nodes)
            return program.run_decompositions({}) if changing else program
    except Exception as error:  # what torch raises depends on the module
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"module: torch cannot export it for one input of shape {shape[1:]} "
            f"(a batch of shape {shape}): {reason}"
        ) from error


def _constants(program: torch.export.ExportedProgram) -> dict[str, Any]:
    """Parameters, buffers and constants, by the names of their nodes."""
    signature = program.graph_signature
    found = {**program.state_dict, **program.constants}
    targets = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    return {name: found[target] for name, target in targets.items()}


class _Interpreter:
    """Runs a graph: on constants by torch itself, on what depends on the input by the builder."""

    def __init__(self, builder: Builder, values: dict[str, Any]) -> None:
        self._builder = builder
        self._values = values

    def run(self, graph: torch.fx.Graph, output: str | None) -> Tensor:
        if output is not None and output not in {node.name for node in graph.nodes}:
            raise ValueError(f"output is {output!r}; the module has no such operation")
        last = ""
        for node in graph.nodes:
            if node.op == "output":
                (results,) = node.args
                if len(results) != 1:
                    raise ValueError(f"module: it has {len(results)} outputs; say which by output=")
                last = getattr(results[0], "name", repr(results[0]))
            elif node.op == "call_function":
                self._values[node.name] = self._call(node)
            elif node.op == "get_attr":
                raise ValueError(f"module: {node.name!r} is a graph of its own")
            if node.name == output:
                break
        wanted = output or last
        result = self._values.get(wanted)
        if not isinstance(result, Tensor):
            raise ValueError(f"output is {wanted!r}, which does not depend on the input")
        return result

    def _call(self, node: torch.fx.Node) -> Any:
        import torch

        arguments = torch.fx.node.map_arg(node.args, lambda n: self._values[n.name])
        keywords = torch.fx.node.map_arg(node.kwargs, lambda n: self._values[n.name])
        if not any(isinstance(a, Tensor) for a in _flat((arguments, keywords))):
            with torch.no_grad():
                return node.target(*arguments, **keywords)
        name = _name(node)
        what = f"operation {node.name!r} ({name})"
        if name in _CURVED:
            before = node.args[0].name
            raise ValueError(
                f"module: {what} is not piecewise linear; to stop before it, give output={before!r}"
            )
        if name == "_assert_tensor_metadata":
            return None
        if name not in {*_MAKES, *_MOVES, *_OPERATIONS}:
            known = ", ".join(sorted({*_MAKES, *_MOVES, *_OPERATIONS}))
            raise ValueError(f"module: {what} is not supported; these are: {known}")
        try:
            if name in _MAKES:
                shape = torch.empty(arguments[0].shape)
                return node.target(shape, *arguments[1:], **keywords)
            if name in _MOVES:
                return _moved(node.target, arguments, keywords)
            return _OPERATIONS[name](self._builder, *map(_numpy, arguments), **keywords)
        except Refused as refusal:
            raise ValueError(f"module: {what}: {refusal}") from None
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"module: {what} is not supported as it is called: {error}") from error


def _name(node: torch.fx.Node) -> str:
    """Of what it does, such as relu for aten.relu.default; empty if it is no call."""
    if node.op != "call_function":
        return ""
    name = node.target.name() if hasattr(node.target, "name") else node.target.__name__
    return str(name).removeprefix("aten::").split(".")[0]


def _flat(arguments: Any) -> list[Any]:
    if isinstance(arguments, dict):
        return _flat([*arguments.values()])
    if isinstance(arguments, list | tuple):
        return [leaf for argument in arguments for leaf in _flat(argument)]
    return [arguments]


def _numpy(argument: Any) -> Any:
    """torch's tensors as numpy's, floats in float64."""
    import torch

    if isinstance(argument, list | tuple):
        return [_numpy(a) for a in argument]
    if not isinstance(argument, torch.Tensor):
        return argument
    array = argument.detach().cpu()
    return (array.double() if array.is_floating_point() else array).numpy()


def _moved(target: _Apply, arguments: Any, keywords: Any) -> Any:
    """What torch does to the numbers of the entries, it would do to the entries."""
    import torch

    (source,) = (a for a in _flat(arguments) if isinstance(a, Tensor))
    numbers = torch.from_numpy(source.index)
    moved = target(*(numbers if a is source else a for a in arguments), **keywords)
    if isinstance(moved, list | tuple):
        return [source.view(part.numpy()) for part in moved]
    op.checked_shape(tuple(moved.shape))
    return source.view(moved.numpy())


# Operations that read a shape alone.
_MAKES = {"full_like", "new_full", "new_ones", "new_zeros", "ones_like", "zeros_like"}

# Operations that only move, repeat or leave out entries.
_MOVES = {
    "alias", "chunk", "clone", "contiguous", "detach", "expand", "expand_as", "flatten", "flip",
    "index_select", "movedim", "narrow", "numpy_T", "permute", "pixel_shuffle", "pixel_unshuffle",
    "repeat", "reshape", "roll", "select", "slice", "split", "split_with_sizes", "squeeze",
    "swapaxes", "t", "transpose", "unbind", "unflatten", "unsqueeze", "view", "_unsafe_view",
}  # fmt: skip


# --- activations ---


def _function(make: Callable[..., PiecewiseLinear]) -> _Apply:
    return lambda builder, x, *arguments: builder.activation(op.tensor(x), make(*arguments))


def _clamp(builder: Builder, x: Value, low: Any = None, high: Any = None, **limits: Any) -> Value:
    low, high = limits.get("min", low), limits.get("max", high)
    if all(limit is None or isinstance(limit, int | float) for limit in (low, high)):
        return op.between(builder, op.tensor(x), _number(low), _number(high))
    for limit, largest in ((low, True), (high, False)):
        if limit is not None:
            x = op.extremum(builder, [x, _value(limit)], largest=largest)
    return x


def _number(x: float | None) -> float | None:
    return None if x is None else float(x)


def _prelu(builder: Builder, x: Value, slope: Array) -> Value:
    source = op.tensor(x)
    channels = (1, -1, *[1] * (len(source.shape) - 2)) if slope.size > 1 else ()
    return op.prelu(builder, source, op.floats(slope, "weight").reshape(channels))


def _soft_shrink(width: float = 0.5) -> PiecewiseLinear:
    return PiecewiseLinear([-width, width], [1.0, 0.0, 1.0])


# --- sums and products ---


def _value(x: Any) -> Value:
    return x if isinstance(x, Tensor) else np.asarray(x, dtype=np.float64)


def _binary(apply: Callable[[Builder, Value, Value], Value]) -> _Apply:
    return lambda builder, x, y: apply(builder, _value(x), _value(y))


def _add(builder: Builder, x: Any, y: Any, sign: float = 1.0, *, alpha: float = 1.0) -> Value:
    if alpha != 1:
        y = op.multiply(builder, _value(y), np.asarray(float(alpha)))
    return op.add(builder, _value(x), _value(y), sign)


def _subtract(builder: Builder, x: Any, y: Any, *, alpha: float = 1.0) -> Value:
    return _add(builder, x, y, -1.0, alpha=alpha)


def _subtract_from(builder: Builder, x: Any, y: Any, alpha: float = 1.0) -> Value:
    return _subtract(builder, y, x, alpha=alpha)


def _divide(builder: Builder, x: Any, y: Any, *, rounding_mode: str | None = None) -> Value:
    if rounding_mode is not None:
        raise Refused("a rounded quotient is not piecewise linear")
    return op.divide(builder, _value(x), _value(y))


def _linear(builder: Builder, x: Value, weight: Value, bias: Array | None = None) -> Value:
    matrix = op.floats(weight, "weight")
    shift = np.zeros(len(matrix)) if bias is None else op.floats(bias, "bias")
    return builder.dense(op.tensor(x), np.ascontiguousarray(matrix), shift)


def _add_product(
    builder: Builder, bias: Any, a: Value, b: Value, *, beta: float = 1.0, alpha: float = 1.0
) -> Value:
    product = op.multiply(builder, op.matmul(builder, a, b), np.asarray(float(alpha)))
    return op.add(builder, product, op.multiply(builder, _value(bias), np.asarray(float(beta))))


def _batch_norm(
    builder: Builder,
    x: Value,
    scale: Array | None,
    shift: Array | None,
    mean: Array,
    variance: Array,
    *others: Any,
) -> Value:
    """Of one sample. The others: training, momentum, eps; or, without training, the last two."""
    epsilon = others[2] if isinstance(others[0], bool) else others[1]
    if others[0] is True:
        raise Refused("it is in training mode")
    average = op.floats(mean, "running_mean")
    factor = np.ones_like(average) if scale is None else op.floats(scale, "weight")
    offset = np.zeros_like(average) if shift is None else op.floats(shift, "bias")
    spread = op.floats(variance, "running_var")
    out = op.batch_normalization(builder, op.tensor(x), factor, offset, average, spread, epsilon)
    return out


# --- windows ---


def _sizes(values: int | Sequence[int], axes: int) -> tuple[int, ...]:
    many = [values] if isinstance(values, int) else [*values]
    return tuple(many * axes if len(many) == 1 else many)


def _frame(
    x: Tensor,
    axes: int,
    extent: Any,
    strides: Any = (),
    pads: Any = 0,
    dilations: Any = 1,
    *,
    ceil: bool = False,
) -> Frame:
    before = _sizes(pads, axes)
    return Frame(
        size=x.shape[-axes:],
        extent=_sizes(extent, axes),
        strides=_sizes(strides or extent, axes),
        dilations=_sizes(dilations, axes),
        before=before,
        after=before,
        ceil=ceil,
    )


def _convolution(axes: int) -> _Apply:
    def apply(
        builder: Builder,
        x: Value,
        weight: Value,
        bias: Array | None = None,
        strides: Any = 1,
        pads: Any = 0,
        dilations: Any = 1,
        groups: int = 1,
    ) -> Value:
        source, kernel = op.tensor(x), op.floats(weight, "weight")
        shift = np.zeros(len(kernel)) if bias is None else op.floats(bias, "bias")
        extent = kernel.shape[2:]
        steps = _sizes(dilations, axes)
        before = after = (0,) * axes
        if pads == "same":
            total = [d * (k - 1) for d, k in zip(steps, extent, strict=True)]
            before = tuple(n // 2 for n in total)
            after = tuple(n - n // 2 for n in total)
        elif pads != "valid":
            before = after = _sizes(pads, axes)
        frame = Frame(source.shape[2:], extent, _sizes(strides, axes), steps, before, after)
        return op.convolution(builder, source, kernel, shift, frame, groups)

    return apply


def _average_pool(axes: int) -> _Apply:
    def apply(
        builder: Builder,
        x: Value,
        extent: Any,
        strides: Any = (),
        pads: Any = 0,
        ceil: bool = False,
        with_padding: bool = True,
        divisor: int | None = None,
    ) -> Value:
        source = op.tensor(x)
        frame = _frame(source, axes, extent, strides, pads, ceil=ceil)
        return op.average_pool(builder, source, frame, with_padding=with_padding, divisor=divisor)

    return apply


def _max_pool(axes: int) -> _Apply:
    def apply(
        builder: Builder,
        x: Value,
        extent: Any,
        strides: Any = (),
        pads: Any = 0,
        dilations: Any = 1,
        ceil: bool = False,
    ) -> Value:
        source = op.tensor(x)
        frame = _frame(source, axes, extent, strides, pads, dilations, ceil=ceil)
        return op.max_pool(builder, source, frame)

    return apply


def _adaptive(axes: int, reduce: Callable[[Builder, Tensor, Indices], Tensor]) -> _Apply:
    """Windows as even as they can be; of one size where the output's divides the input's."""

    def apply(builder: Builder, x: Value, out: Any) -> Value:
        source = op.tensor(x)
        size = source.shape[-axes:]
        wanted = [n if k is None else k for n, k in zip(size, _sizes(out, axes), strict=True)]
        if any(n % k for n, k in zip(size, wanted, strict=True)):
            raise Refused(f"its output of {wanted} does not divide {size}")
        extent = tuple(n // k for n, k in zip(size, wanted, strict=True))
        frame = _frame(source, axes, extent)
        windows, _ = frame.windows(np.arange(prod(source.shape)).reshape(source.shape))
        return reduce(builder, source, windows)

    return apply


def _reduce(reduce: Callable[[Builder, Tensor, Indices], Tensor]) -> _Apply:
    def apply(builder: Builder, x: Value, axes: Any = None, keep: bool = False, **_: Any) -> Value:
        source = op.tensor(x)
        chosen = range(len(source.shape)) if axes is None or axes == [] else axes
        chosen = [chosen] if isinstance(chosen, int) else chosen
        return op.over(partial(reduce, builder), source, chosen, keep=keep)

    return apply


def _sum_of(builder: Builder, x: Tensor, windows: Indices) -> Tensor:
    return builder.mean(x, windows, np.ones(windows.shape[:-1]))


# --- shapes ---


def _concatenate(builder: Builder, parts: Sequence[Any], axis: int = 0) -> Value:
    return op.concatenate(builder, [_value(part) for part in parts], axis)


def _stack(builder: Builder, parts: Sequence[Any], axis: int = 0) -> Value:
    values = [_value(part) for part in parts]
    axis %= len(values[0].shape) + 1
    shape = [*values[0].shape[:axis], 1, *values[0].shape[axis:]]
    return op.concatenate(builder, [value.reshape(shape) for value in values], axis)


def _pad(
    builder: Builder, x: Value, widths: Sequence[int], mode: Any = "constant", fill: Any = None
) -> Value:
    """Widths: before and after, from the last axis on."""
    source = op.tensor(x)
    if not isinstance(mode, str):  # constant_pad_nd
        mode, fill = "constant", mode
    rank = len(source.shape)
    around = [(0, 0)] * rank
    for i in range(len(widths) // 2):
        around[rank - 1 - i] = (widths[2 * i], widths[2 * i + 1])
    modes = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    return op.pad(builder, source, around, modes.get(mode, mode), float(fill or 0.0))


def _dropout(_: Builder, x: Value, share: float, training: bool) -> Value:
    if training and share > 0:
        raise Refused("it is in training mode")
    return x


def _cast(_: Builder, x: Value, *types: Any, **named: Any) -> Value:
    import torch

    for kind in (*types, *named.values()):
        if isinstance(kind, torch.dtype) and not kind.is_floating_point:
            raise Refused("a cast to integers is not piecewise linear")
    return x


def _item(_: Builder, values: Sequence[Value], i: int) -> Value:
    return values[i]


_OPERATIONS: dict[str, _Apply] = {
    "_native_batch_norm_legit_no_training": lambda *a: [_batch_norm(*a)],
    "_to_copy": _cast,
    "abs": _function(activations.Abs),
    "adaptive_avg_pool1d": _adaptive(1, Builder.mean_of),
    "adaptive_avg_pool2d": _adaptive(2, Builder.mean_of),
    "adaptive_max_pool1d": lambda *a: [_adaptive(1, Builder.maximum)(*a), None],
    "adaptive_max_pool2d": lambda *a: [_adaptive(2, Builder.maximum)(*a), None],
    "add": _add,
    "addmm": _add_product,
    "alpha_dropout": _dropout,
    "amax": _reduce(Builder.maximum),
    "avg_pool1d": _average_pool(1),
    "avg_pool2d": _average_pool(2),
    "batch_norm": _batch_norm,
    "cat": _concatenate,
    "clamp": _clamp,
    "clamp_max": lambda builder, x, high: _clamp(builder, x, None, high),
    "clamp_min": _clamp,
    "constant_pad_nd": _pad,
    "conv1d": _convolution(1),
    "conv2d": _convolution(2),
    "div": _divide,
    "dropout": _dropout,
    "feature_dropout": _dropout,
    "getitem": _item,
    "hardsigmoid": _function(activations.HardSigmoid),
    "hardtanh": _function(lambda low=-1.0, high=1.0: activations.HardTanh(low, high)),
    "leaky_relu": _function(activations.LeakyReLU),
    "linear": _linear,
    "matmul": _binary(op.matmul),
    "max_pool1d": _max_pool(1),
    "max_pool1d_with_indices": lambda *a: [_max_pool(1)(*a), None],
    "max_pool2d": _max_pool(2),
    "max_pool2d_with_indices": lambda *a: [_max_pool(2)(*a), None],
    "maximum": lambda builder, *v: op.extremum(builder, [*map(_value, v)], largest=True),
    "mean": _reduce(Builder.mean_of),
    "minimum": lambda builder, *v: op.extremum(builder, [*map(_value, v)], largest=False),
    "mm": _binary(op.matmul),
    "mul": _binary(op.multiply),
    "neg": lambda builder, x: op.scaled(builder, x, -np.ones(())),
    "pad": _pad,
    "prelu": _prelu,
    "relu": _function(activations.ReLU),
    "relu6": _function(activations.ReLU6),
    "rsub": _subtract_from,
    "softshrink": _function(_soft_shrink),
    "stack": _stack,
    "sub": _subtract,
    "sum": _reduce(_sum_of),
    "to": _cast,
}
