"""What is found, as pandas tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

    from pyexpr.tracing.trace import Trace


def transitions_frame(trace: Trace) -> DataFrame:
    """See `Trace.to_dataframe`."""
    changes = trace.transitions
    breakpoint = changes["breakpoint"]
    named = {name: changes[name] for name in ("breakpoint", "layer", "neuron", "before", "after")}
    return frame({"t": trace.t[breakpoint], **named, "bends": trace.bends[breakpoint]})


def frame(content: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> DataFrame:
    """Of columns by their names, or of rows.

    Raises
    ------
    ImportError
        pandas is not installed.
    """
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise ImportError(
            'to_dataframe needs pandas; install it by: pip install "pyexpr-regions[pandas]"'
        ) from error
    return DataFrame(content)
