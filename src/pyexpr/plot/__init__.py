"""Pictures of what pyexpr counts. Needs matplotlib: pip install "pyexpr-regions[plot]".

Every function draws on the axes that it is given, or on those of a new figure of one column's
width, and returns them. It sets sizes relative to matplotlib's `font.size`, and no global state.
"""

from importlib import import_module as _import_module

try:
    _import_module("matplotlib")
except ImportError as error:
    raise ImportError(
        'pyexpr.plot needs matplotlib; install it by: pip install "pyexpr-regions[plot]"'
    ) from error

from pyexpr.plot.bars import transitions_per_layer
from pyexpr.plot.growth import lengths
from pyexpr.plot.images import layer_images
from pyexpr.plot.overview import overview
from pyexpr.plot.raster import transitions
from pyexpr.plot.slice import slice_regions
from pyexpr.plot.values import output

__all__ = [
    "layer_images",
    "lengths",
    "output",
    "overview",
    "slice_regions",
    "transitions",
    "transitions_per_layer",
]
