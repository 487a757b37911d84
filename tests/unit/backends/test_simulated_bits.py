"""Weights of few bits are rounded as said, and packed into the bytes that they would take."""

import numpy as np
import pytest

from pytest_whisperq.backends import _simulated_bits
from pytest_whisperq.backends._simulated_bits import pack, rounded, unpack, values

LEVELS = dict(_simulated_bits._LEVELS)
BITS = {"ternary": 8 / 5, **{f"int{bits}": bits for bits in range(1, 9)}}


def error(kind: str, weight: np.ndarray, group: int = 64) -> float:
    """Return the mean squared error of rounding."""
    codes, scales = rounded(weight, LEVELS[kind], group)
    whole = values(codes, LEVELS[kind]) * scales.astype(np.float32)
    return float(np.square(whole.reshape(weight.shape) - weight).mean())


@pytest.fixture
def weight() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((32, 128)).astype(np.float32)


@pytest.mark.parametrize("kind", LEVELS)
def test_codes_take_their_bits_and_come_back(kind: str) -> None:
    codes = np.random.default_rng(1).integers(0, LEVELS[kind], 320).astype(np.uint8)
    packed = pack(codes, LEVELS[kind])
    assert packed.nbytes * 8 == BITS[kind] * len(codes)
    assert (unpack(packed, LEVELS[kind], len(codes)) == codes).all()


@pytest.mark.parametrize("kind", ["int3", "ternary", "int1"])
def test_a_last_byte_that_is_not_full_is_no_code(kind: str) -> None:
    codes = np.arange(67, dtype=np.uint8) % LEVELS[kind]
    assert (unpack(pack(codes, LEVELS[kind]), LEVELS[kind], len(codes)) == codes).all()


@pytest.mark.parametrize("kind", LEVELS)
def test_weights_have_no_more_values_than_codes(kind: str, weight: np.ndarray) -> None:
    codes, scales = rounded(weight, LEVELS[kind], 64)
    assert codes.shape == (64, 64)
    assert scales.shape == (64, 1)
    assert set(np.unique(codes)) <= set(range(LEVELS[kind]))
    assert (np.diff(values(np.arange(LEVELS[kind]).astype(np.uint8), LEVELS[kind])) > 0).all()


def test_the_value_of_largest_magnitude_takes_the_lowest_code_whatever_its_sign() -> None:
    codes, scales = rounded(np.array([[4.0, -1.0, 0.5, 0.0], [-4.0, 1.0, 2.0, 0.0]], np.float32), 16, 4)
    assert (values(codes, 16) * scales).tolist() == [[4.0, -1.0, 0.5, 0.0], [-4.0, 1.0, 2.0, 0.0]]
    assert (codes[:, 0] == 0).all()


def test_one_bit_is_a_sign_and_the_mean_magnitude() -> None:
    codes, scales = rounded(np.array([[1.0, -3.0, 2.0, 2.0]], np.float32), 2, 4)
    assert (values(codes, 2) * scales).tolist() == [[2.0, -2.0, 2.0, 2.0]]


def test_ternary_drops_what_is_small() -> None:
    codes, scales = rounded(np.array([[1.0, -3.0, 0.1, 0.0]], np.float32), 3, 4)
    assert (values(codes, 3) * scales).tolist() == [[2.0, -2.0, 0.0, 0.0]]


@pytest.mark.parametrize("kind", LEVELS)
def test_a_group_of_zeros_stays_one(kind: str) -> None:
    codes, scales = rounded(np.zeros((1, 64), np.float32), LEVELS[kind], 64)
    assert (values(codes, LEVELS[kind]) * scales == 0).all()


def test_fewer_bits_and_longer_groups_cost_more(weight: np.ndarray) -> None:
    errors = [error(kind, weight) for kind in ("int8", "int7", "int6", "int5", "int4", "int3", "int2")]
    assert errors == sorted(errors)
    assert error("ternary", weight) < error("int1", weight)
    assert error("int4", weight) < error("int4", weight, 128)


def test_no_two_kinds_take_the_same_bytes() -> None:
    sizes = {_simulated_bits._packed_size(levels, 64 * 64) for levels in LEVELS.values()}
    assert len(sizes) == len(LEVELS)
    assert _simulated_bits._kind(64 * 64 // 2, 64 * 64) == "int4"
    assert _simulated_bits._kind(7, 64 * 64) == ""
