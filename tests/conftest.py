"""Hypothesis profiles: `default`, and `fuzz` for a long run (pytest --hypothesis-profile fuzz)."""

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("judge")

# Exact arithmetic takes what it takes: no deadline.
settings.register_profile("default", deadline=None, max_examples=60)
settings.register_profile(
    "fuzz", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")
