"""Networks with as many regions as the theory allows, or as many as anyone has shown."""

from pyexpr.constructions.arrangement import arrangement
from pyexpr.constructions.circle import arc, circle
from pyexpr.constructions.construction import Construction, SpaceConstruction
from pyexpr.constructions.folding import folding
from pyexpr.constructions.line import line
from pyexpr.constructions.tent import tent

__all__ = [
    "Construction",
    "SpaceConstruction",
    "arc",
    "arrangement",
    "circle",
    "folding",
    "line",
    "tent",
]
