"""The same examples on every machine and every run; more of them are a command line away (``--hypothesis-seed``)."""

from hypothesis import HealthCheck, settings

# Slow, shared machines make deadlines flaky; what is searched must not depend on the day.
settings.register_profile(
    "gate", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gate")
