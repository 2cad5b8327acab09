"""Bars and callbacks of long counts."""

from typing import Any

import numpy as np
import pytest

import pyexpr

NET = pyexpr.Network.random(
    [100, *[200] * 5, 2], activation="hard_tanh", weight_variance=60.0, seed=0
)
POINTS = np.random.default_rng(0).standard_normal((2, 100))
TINY = pyexpr.Network.dense([([[1.0]], [0.0]), ([[1.0]], [0.0])], "relu")


@pytest.mark.parametrize(
    "curve", [pyexpr.Line(*POINTS), pyexpr.Circle(np.zeros(100), *POINTS)], ids=["line", "circle"]
)
def test_a_callback_hears_how_much_is_done(curve: pyexpr.Trajectory) -> None:
    shares: list[float] = []
    count = pyexpr.count_regions(NET, curve, kind="activation", progress=shares.append)
    assert count == pyexpr.count_regions(NET, curve, kind="activation")
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] == 1


def test_a_callback_may_stop_the_count() -> None:
    class Stopped(Exception):
        pass

    def stop(share: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        pyexpr.count_transitions(NET, pyexpr.Circle(np.zeros(100), *POINTS), progress=stop)
    assert pyexpr.count_regions(TINY, [-1.0], [1.0]) == 2


def test_a_bar_is_drawn_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    pyexpr.count_patterns(TINY, [-1.0], [1.0], progress=True)
    pyexpr.trace(TINY, [-1.0], [1.0], progress=True)
    out, err = capfd.readouterr()
    assert "patterns" in err
    assert out == ""


def test_anything_else_is_refused() -> None:
    wrong: Any = "yes"
    with pytest.raises(TypeError, match="progress is 'yes'"):
        pyexpr.count_regions(TINY, [-1.0], [1.0], progress=wrong)
