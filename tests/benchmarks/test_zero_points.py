"""The zero of a range that hardly goes below zero is off NNCF's grid: what docs/calibration.md reports of it."""

import numpy as np
import pytest
from zero_points import LEVELS, Layer

HIGH = 14.47


@pytest.mark.parametrize(("low", "is_level"), [(-0.0285, True), (-0.0280, False)])
def test_zero_is_a_level_where_the_zero_point_does_not_round_to_none(low: float, is_level: bool) -> None:
    """As measured of the last `fc2` in the encoder of OpenAI's tiny.en, on either side of the cliff."""
    from nncf.quantization.fake_quantize import tune_range
    from nncf.tensor import Tensor

    layer = Layer(np.ones((1, 2), np.float32))
    layer.add(np.array([[[low, 0.0], [0.0, HIGH]]], np.float32))
    assert (layer.zero_point(np.array([0]), 0.0) >= 0.5) == is_level
    first, last = (float(edge.data) for edge in tune_range(Tensor(np.float32(low)), Tensor(np.float32(HIGH)), 8))
    step = (last - first) / LEVELS
    nearest = first + step * round(-first / step)
    assert (abs(nearest) < step / 100) == is_level


def test_a_zero_point_is_of_the_mean_extremes_behind_smooth_quant() -> None:
    """Two clips: a range of (−1 … 3) and of (−3 … 5) make one of (−2 … 4), of which zero is a third up."""
    layer = Layer(np.ones((1, 2), np.float32))
    layer.add(np.array([[[-1.0, 0.0], [3.0, 0.0]]], np.float32))
    layer.add(np.array([[[-3.0, 0.0], [5.0, 0.0]]], np.float32))
    assert layer.zero_point(np.array([0, 1]), 0.0) == pytest.approx(LEVELS / 3, rel=1e-5)
