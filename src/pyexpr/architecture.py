"""Whether two networks have one architecture: all of them but the weights and biases."""

from __future__ import annotations

from pyexpr.graph import Activation, Affine, Graph, Maximum, Node, name_of, sources

_DETAILS: dict[type[Node], str] = {
    Affine: "strides, pads, dilations, groups or places of its entries",
    Activation: "breakpoints, slopes or letters",
    Maximum: "windows",
}


def difference(graph: Graph, other: Graph) -> str | None:
    """How the architecture of `other` differs from that of `graph`; None where it does not.

    To the architecture belong the tensors with their shapes, what each is made of, the strides,
    pads and places of entries of linear operations, the activations' functions and the windows of
    maxima. Weights and biases are free. Tensors are numbered as `print(net)` shows them.
    """
    for i, (node, its) in enumerate(zip(graph.nodes, other.nodes, strict=False)):
        found = _node_difference(node, its)
        if found is not None:
            return f"its tensor {i} {found}"
    if len(graph.nodes) != len(other.nodes):
        return f"it has {len(other.nodes)} tensors, not {len(graph.nodes)}"
    return None


def _node_difference(node: Node, other: Node) -> str | None:
    if node.shape != other.shape:
        return f"has shape {other.shape}, not {node.shape}"
    if sources(node) != sources(other):
        return f"is made from the tensors {sources(other)}, not {sources(node)}"
    if _structure(node) == _structure(other):
        return None
    if name_of(node) != name_of(other):
        return f"is {name_of(other)}, not {name_of(node)}"
    return f"is {name_of(other)}, too, but with other {_DETAILS[type(node)]}"


def _structure(node: Node) -> tuple[object, ...]:
    """Equal for nodes of one shape and with the same sources that differ in weights alone."""
    if isinstance(node, Affine):
        return Affine, *(operation.structure for _, operation in node.terms)
    if isinstance(node, Activation):
        return Activation, node.function
    if isinstance(node, Maximum):
        return Maximum, node.windows.shape, node.windows.tobytes()
    return (type(node),)
