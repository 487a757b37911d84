"""The check of audio front ends, and the two that are known to be bad."""

from typing import Any

import numpy as np
import pytest

from pytest_whisperq.contract import ContractError, check_front_end
from pytest_whisperq.contract.front_end import FRONT_ENDS, peak_scaled, peak_scaled_softly


def as_it_is(samples: Any) -> Any:
    return samples


def test_a_front_end_that_changes_nothing_or_scales_once_passes() -> None:
    check_front_end(as_it_is)
    check_front_end(lambda samples: 0.5 * samples)


def test_scaling_by_the_peak_makes_nan_of_digital_silence() -> None:
    assert np.isnan(peak_scaled(np.zeros(4, np.float32))).all()
    with pytest.raises(ContractError, match="peak_scaled: digital silence, 0 to 2 s: samples are not finite"):
        check_front_end(peak_scaled)


def test_scaling_by_the_peak_jumps_though_silence_is_let_be() -> None:
    with pytest.raises(ContractError, match=r"a whisper before a shout, .* times as loud now; take one gain"):
        check_front_end(peak_scaled_softly)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_every_known_bad_front_end_fails(front_end: Any) -> None:
    with pytest.raises(ContractError):
        check_front_end(front_end)


def test_a_front_end_that_drops_samples_fails() -> None:
    with pytest.raises(ContractError, match=r"32000 samples became \(31999,\)"):
        check_front_end(lambda samples: samples[1:])
