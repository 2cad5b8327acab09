"""Pre-activations of wide random layers along a curve, and how a layer changes their law."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, not_negative, real_array
from pyexpr.activations import ActivationLike, PiecewiseLinear, as_activation
from pyexpr.theory.gaussian import density, interval_moments, mean_absolute, standardised

_CLEAR = 1e-13  # how far a variance must move, by its own size, for this to be no rounding
_REACH = 60  # doublings
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Moments:
    """A centred Gaussian pre-activation h and its derivative h' along a curve, at points of it.

    Attributes
    ----------
    variance : float64 [...]
        q = E h^2.
    covariance : float64 [...]
        c = E h h', half the derivative of q.
    rest : float64 [...]
        r - c^2 / q, the variance of h' given h: kept instead of r because a curve along a ray,
        where it is 0, would otherwise leave the square root of a rounding error.
    """

    variance: FloatArray
    covariance: FloatArray
    rest: FloatArray

    @classmethod
    def of_curve(cls, position: FloatArray, velocity: FloatArray) -> Moments:
        """Of h = g . x(t), g [m] standard normal.

        Parameters
        ----------
        position, velocity : float64 [..., m]
            x and dx/dt.
        """
        variance = np.einsum("...i,...i->...", position, position)
        covariance = np.einsum("...i,...i->...", position, velocity)
        rate = _ratio(covariance, variance)
        across = velocity - rate[..., None] * position
        return cls(variance, covariance, np.einsum("...i,...i->...", across, across))

    @classmethod
    def of(
        cls, variance: npt.ArrayLike, derivative: npt.ArrayLike, covariance: npt.ArrayLike
    ) -> Moments:
        """Of their values.

        Parameters
        ----------
        variance, derivative, covariance : array_like [...]
            q, r = E h'^2 and c.

        Raises
        ------
        TypeError, ValueError
            No finite real numbers, shapes that differ, or no covariance matrices.
        """
        q, r = real_array("variance", variance), real_array("derivative", derivative)
        c = real_array("covariance", covariance)
        if not q.shape == r.shape == c.shape:
            raise ValueError(
                f"variance has shape {q.shape}, derivative {r.shape} and covariance {c.shape}; "
                "they must be alike"
            )
        rest = r - c * _ratio(c, q)
        wrong = (q < 0) | (r < 0) | (rest < -_ROUNDING * r) | ((q == 0) & (c != 0))
        if wrong.any():
            q0, r0, c0 = q[wrong][0], r[wrong][0], c[wrong][0]
            raise ValueError(
                f"variance {q0}, derivative {r0} and covariance {c0} are those of no two "
                "variables; the first two must not be negative, nor their product below the "
                "square of the third"
            )
        return cls(q, c, np.maximum(rest, 0.0))

    @property
    def derivative(self) -> FloatArray:
        """r = E h'^2: float64 [...]."""
        return self.rest + self.covariance * _ratio(self.covariance, self.variance)


@dataclass(frozen=True, init=False)
class MeanField:
    """How `Moments` pass through a random layer that is infinitely wide. Immutable, equal by value.

    The signal propagation of Poole et al. (2016), "Exponential expressivity in deep neural networks
    through transient chaos", in closed form for piecewise-linear activations: Gaussian moments of
    affine pieces.

    Parameters
    ----------
    activation
        A name or a PiecewiseLinear with one row of slopes.
    weight_variance, bias_variance
        Not negative.

    Raises
    ------
    TypeError, ValueError
        An activation that is none or has slopes for every neuron, or a variance that is negative
        or not finite.
    """

    activation: PiecewiseLinear
    weight_variance: float
    bias_variance: float

    def __init__(
        self,
        activation: ActivationLike = "relu",
        weight_variance: float = 2.0,
        bias_variance: float = 0.0,
    ) -> None:
        phi = as_activation("activation", activation)
        if phi.n_neurons is not None:
            raise ValueError(
                f"activation has slopes for {phi.n_neurons} neurons; all neurons of a mean field "
                "are alike, so it must have one row of slopes"
            )
        set_field = object.__setattr__
        set_field(self, "activation", phi)
        set_field(self, "weight_variance", not_negative("weight_variance", weight_variance))
        set_field(self, "bias_variance", not_negative("bias_variance", bias_variance))

    def first(self, x: npt.ArrayLike, velocity: npt.ArrayLike) -> Moments:
        """The `Moments` in the first layer; exact for every width.

        Parameters
        ----------
        x, velocity : array_like [..., n]
            Points of a curve, and its derivative there.

        Raises
        ------
        TypeError, ValueError
            No finite real numbers, a scalar, or shapes that differ.
        """
        position, direction = real_array("x", x), real_array("velocity", velocity)
        if position.shape != direction.shape or not position.ndim or not position.shape[-1]:
            raise ValueError(
                f"x has shape {position.shape} and velocity {direction.shape}; both must be "
                "[..., n]"
            )
        variances = self.weight_variance, self.bias_variance
        return Moments.of_curve(*augmented(position, direction, *variances))

    def __call__(self, at: Moments) -> Moments:
        """The `Moments` one layer on.

        With h' = (c / q) h + N(0, rest) given h, phi the activation and w, b the variances,
        q' = w E phi(h)^2 + b, c' = w E[phi(h) phi'(h) h'] = w (c / q) E[phi phi' h] and
        r' = w E[phi'(h)^2 h'^2] = w (rest E phi'^2 + (c / q)^2 E[(phi' h)^2]). Less c'^2 / q',
        r' leaves w rest E phi'^2 + (c / q)^2 (w E[(phi' h - k phi)^2] + b k^2) with
        k = w E[phi phi' h] / q', where nothing cancels.
        """
        slopes, offsets = self._pieces
        share, first, second = self._moments(at.variance)
        deviation = np.sqrt(at.variance)[..., None]
        steep = (slopes * deviation) ** 2 * second  # phi^2 is steep + 2 mixed + flat on a piece
        mixed = slopes * offsets * deviation * first
        flat = offsets**2 * share
        product = (steep + mixed).sum(-1)
        variance = self.weight_variance * (steep + 2 * mixed + flat).sum(-1) + self.bias_variance
        rate = _ratio(at.covariance, at.variance)
        k = _ratio(self.weight_variance * product, variance)
        on, off = (1 - k)[..., None], k[..., None]
        missed = (on**2 * steep - 2 * on * off * mixed + off**2 * flat).sum(-1)
        across = at.rest * (slopes**2 * share).sum(-1) + rate**2 * np.maximum(missed, 0)
        return Moments(
            variance,
            self.weight_variance * product * rate,
            self.weight_variance * across + self.bias_variance * (rate * k) ** 2,
        )

    def transition_rate(self, at: Moments) -> FloatArray:
        """The expected transitions of a neuron by unit of the curve's parameter: float64 [...].

        By Rice's formula: of every breakpoint u, the density of h there times
        E|h'| given h = u, which is E|N(u c / q, rest)|. For u = 0 it is sqrt(rest / q) / pi, the
        angular speed of the augmented vector over pi (Crofton). 0 where q = 0.
        """
        knots = self.activation.breakpoints
        deviation = np.sqrt(at.variance)
        cuts = standardised(knots, deviation)
        heights = _ratio(density(cuts), deviation[..., None])
        speeds = mean_absolute(
            knots * _ratio(at.covariance, at.variance)[..., None],
            np.sqrt(at.rest)[..., None] * np.ones(len(knots)),
        )
        rates: FloatArray = np.where(heights > 0, heights * speeds, 0.0).sum(-1)
        return rates

    @cached_property
    def fixed_point(self) -> float:
        """The variance of pre-activations in deep layers, for inputs of mean square 1.

        The fixed point of q -> w E phi(sqrt(q) Z)^2 + b that is next to q = w + b in the direction
        in which q moves there; activations that have names have at most one above 0. It may be 0,
        as for hard-tanh with w <= 1 and b = 0, or math.inf, as for ReLU with w > 2.
        """
        start = self.weight_variance + self.bias_variance
        if self.is_homogeneous:
            return self._homogeneous_fixed_point(start)
        moves = self._moves(start)
        if abs(moves) <= _CLEAR:
            return start
        factor = 2.0 if moves > 0 else 0.5
        cap = max(start, float(np.abs(self.activation.breakpoints).max()) ** 2)
        near, far = start, start * factor
        while self._moves(far) * moves > -_CLEAR * abs(moves):
            if far > cap * 2.0**_REACH:
                return math.inf
            if far < start * 2.0**-_REACH:
                return 0.0
            near, far = far, far * factor
        return _bisected(self._moves, near, far, moves)

    @property
    def is_homogeneous(self) -> bool:
        """Whether phi(a h) = a phi(h) for all a > 0, as for ReLU, leaky ReLU and abs."""
        return not self._pieces[1].any()

    @property
    def growth(self) -> float:
        """What a deep layer multiplies lengths by: sqrt(w E phi'(sqrt(q) Z)^2) at `fixed_point`.

        At 0 and at infinity its limit. For homogeneous activations it is the same at every q.
        """
        return math.sqrt(self.weight_variance * self.mean_squared_slope(self.fixed_point))

    def mean_squared_slope(self, variance: float) -> float:
        """E phi'(sqrt(q) Z)^2 at a variance q, which may be 0 or math.inf; not checked."""
        share = self._moments(np.array(variance))[0]
        return float(self.activation.slopes**2 @ share)

    @cached_property
    def _pieces(self) -> tuple[FloatArray, FloatArray]:
        """Slopes and offsets [K + 1]."""
        return self.activation.coefficients(np.arange(len(self.activation.breakpoints) + 1))

    def _moments(self, variance: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        return interval_moments(standardised(self.activation.breakpoints, np.sqrt(variance)))

    def _moves(self, variance: float) -> float:
        """By what share of itself a variance changes in a layer."""
        zero = np.zeros(())
        after = self(Moments(np.array(variance), zero, zero)).variance
        return float(after) / variance - 1 if variance else 0.0

    def _homogeneous_fixed_point(self, start: float) -> float:
        slopes = self.activation.slopes
        ratio = self.weight_variance * float(slopes[0] ** 2 + slopes[-1] ** 2) / 2
        if ratio < 1:
            return self.bias_variance / (1 - ratio)
        return start if ratio == 1 and self.bias_variance == 0 else math.inf


def augmented(
    position: FloatArray,
    velocity: FloatArray,
    weight_variance: float,
    bias_variance: float,
    weight: npt.ArrayLike = 1.0,
) -> tuple[FloatArray, FloatArray]:
    """Vectors whose products with standard normal ones have the law of h and h'.

    (sqrt(weight_variance / n) z, sqrt(bias_variance)) and its derivative.

    Parameters
    ----------
    position, velocity : float64 [..., n]
        Of z.
    weight_variance, bias_variance
        Of the layer that sees z.
    weight : array_like [...]
        That of positions in homogeneous coordinates.

    Returns
    -------
    float64 [..., n + 1] each
    """
    scale = math.sqrt(weight_variance / position.shape[-1])
    bias = math.sqrt(bias_variance) * np.asarray(weight) * np.ones(position.shape[:-1])
    still = np.zeros((*velocity.shape[:-1], 1))
    return (
        np.concatenate([scale * position, bias[..., None]], axis=-1),
        np.concatenate([scale * velocity, still], axis=-1),
    )


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """0 where the denominator is."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.zeros(shape), where=denominator != 0)


def _bisected(moves: Callable[[float], float], near: float, far: float, sign: float) -> float:
    """Where a function changes its sign between positive numbers; near the first it has `sign`."""
    while True:
        middle = math.sqrt(near) * math.sqrt(far)
        if not min(near, far) < middle < max(near, far):
            return middle
        if moves(middle) * sign > 0:
            near = middle
        else:
            far = middle
