"""Traces as pandas tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

    from pyexpr.tracing.trace import Trace


def transitions_frame(trace: Trace) -> DataFrame:
    """See `Trace.to_dataframe`."""
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise ImportError(
            'to_dataframe needs pandas; install it by: pip install "pyexpr-regions[pandas]"'
        ) from error
    changes = trace.transitions
    breakpoint = changes["breakpoint"]
    named = {name: changes[name] for name in ("breakpoint", "layer", "neuron", "before", "after")}
    return DataFrame({"t": trace.t[breakpoint], **named, "bends": trace.bends[breakpoint]})
