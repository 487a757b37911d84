"""Whether fewer bits cost more is told from utterances, and not from their order."""

import numpy as np
from bits import SIMULATED, WAYS, trend

from pytest_whisperq.backends import get_backend


def test_a_trend_is_found_and_none_is_made_up() -> None:
    random = np.random.default_rng(0)
    noise = random.poisson(2, (40, 8))
    assert trend(noise) > 0.01
    assert trend(noise + np.arange(8)) < 0.05
    assert trend(noise - np.arange(8)) > 0.05  # the other way round
    assert trend(np.ones((40, 8), np.int64)) == 1.0


def test_precisions_exist_and_those_of_the_trend_share_a_group_size() -> None:
    for name in (name for way in WAYS.values() for name in way):
        backend, _, precision = name.partition(":")
        assert precision in get_backend(backend).precisions
    assert not any(name.endswith("-channel") for name in SIMULATED)
    assert list(SIMULATED.values()) == sorted(SIMULATED.values(), reverse=True)
