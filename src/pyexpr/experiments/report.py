"""A result as a page: picture, table, and the paper's claims."""

from __future__ import annotations

from pyexpr.experiments.result import Result
from pyexpr.experiments.table import Table


def page(result: Result, picture: str) -> str:
    """Markdown; `picture` is where the picture lies, seen from the page."""
    claims = Table(
        ("the paper", "here", "agrees", "why"),
        tuple((claim.claim, claim.ours, claim.agrees, claim.why) for claim in result.claims),
    )
    arguments = ", ".join(f"{name}={value!r}" for name, value in result.parameters.items())
    function = result.name.replace("-", "_")
    parts = [
        f"# {result.title}",
        f"![{result.title}]({picture})",
        claims.markdown(),
        result.table.markdown(),
        f"`experiments.{function}({arguments})`",
    ]
    return "\n\n".join(parts) + "\n"
