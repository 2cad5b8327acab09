"""What random networks are expected to do along a trajectory.

For networks as `Network.random` draws them: W ~ N(0, weight_variance / fan_in) and
b ~ N(0, bias_variance), all independent. Raghu et al. (2017), "On the expressive power of deep
neural networks", divide by the width everywhere, which differs in the first layer only. In formulas
s_w^2 and s_b^2 are these variances, phi is the activation, q the variance of pre-activations, Z a
standard normal variable, z the n numbers that a layer of n_l neurons reads, and L the number of
hidden layers.

What is said of ReLU lengths, of a first layer, of `swept_angles` and of `hanin_rolnick` is true of
every finite width; mean fields are what widths that grow without bound tend to.
"""

from pyexpr.theory.angles import swept_angles
from pyexpr.theory.average import hanin_rolnick, whole_line
from pyexpr.theory.growth import lower_growth, mean_field_growth, stated_growth
from pyexpr.theory.lengths import relu_growth, relu_lengths
from pyexpr.theory.meanfield import MeanField, Moments
from pyexpr.theory.rates import sign_changes_per_length, transitions_per_length
from pyexpr.theory.transitions import expected_regions, expected_transitions

__all__ = [
    "MeanField",
    "Moments",
    "expected_regions",
    "expected_transitions",
    "hanin_rolnick",
    "lower_growth",
    "mean_field_growth",
    "relu_growth",
    "relu_lengths",
    "sign_changes_per_length",
    "stated_growth",
    "swept_angles",
    "transitions_per_length",
    "whole_line",
]
