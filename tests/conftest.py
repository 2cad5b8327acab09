"""Hypothesis profiles: `default`, the same examples every time, and `fuzz`, many and new ones.

pytest --hypothesis-profile fuzz
"""

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("judge", "curve_judge")

# Exact arithmetic takes what it takes: no deadline.
# A change must not fail by an example that has nothing to do with it: those are what fuzz is for.
settings.register_profile("default", deadline=None, max_examples=60, derandomize=True)
settings.register_profile(
    "fuzz", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")
