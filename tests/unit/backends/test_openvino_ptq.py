"""The self-check of a calibrated build: greedy tokens against float32's, and how few of them break it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pytest_whisperq.backends import Calibration, _openvino_ptq
from pytest_whisperq.backends._openvino_layers import Compared
from pytest_whisperq.backends._openvino_ptq import Heard, Part, agreement, quantize, surely_fewer
from pytest_whisperq.system.errors import QuantizationError

PROMPT = 2


def clip(text: Sequence[int]) -> Heard:
    return Heard(sound={}, plain={"input_ids": np.array([text])}, stamped={}, prompt=PROMPT)


def part(texts: Sequence[tuple[Sequence[int], Sequence[int]]], ratio: float = 30.0) -> Part:
    """A part that says the second of each pair where float32 says the first, plain and stamped in turns."""
    compared = Compared()
    for original, quantized in texts:
        compared.original.append(np.array([original]))
        compared.quantized.append(np.array([quantized]))
    for block in ("block layers.0", "block layers.1"):
        ratio /= 2
        compared.blocks.add(block, np.full(4, 10 ** (ratio / 20), np.float32), np.full(4, 1 + 10 ** (ratio / 20)))
    return Part(model=None, left={}, compared=compared)


def test_tokens_of_the_text_are_counted_and_neither_the_prompt_nor_the_stamped_one() -> None:
    """The last token of the prompt is answered by the first of the text, and the last of the text by its end."""
    plain, stamped = ([9, 1, 2, 3, 4], [8, 1, 2, 0, 4]), ([1, 1, 1, 1, 1], [0, 0, 0, 0, 0])
    assert agreement(part([plain, stamped]), [clip([7, 7, 1, 2, 3])]) == (3, 4)


def test_tokens_of_all_clips_are_counted_together() -> None:
    same = ([1, 1, 1], [1, 1, 1])
    assert agreement(part([same, same, ([1, 1], [0, 0]), same]), [clip([7, 7, 1]), clip([7, 7])]) == (2, 3)


@pytest.mark.parametrize(
    ("same", "total", "is_broken"),
    [
        (200, 200, False),
        (180, 200, False),  # just what is wanted
        (172, 200, False),  # fewer, but no surprise
        (160, 200, True),
        (17, 20, False),
        (12, 20, True),
        (0, 2, True),
        (1, 2, False),  # nothing is sure of two
    ],
)
def test_few_tokens_break_a_model_only_when_chance_is_no_excuse(same: int, total: int, is_broken: bool) -> None:
    assert surely_fewer(same, total) == is_broken


class Twin:
    """A model of which nothing but its parts is asked for."""

    class _Part:
        model = None

    encoder = decoder = _Part()

    def compile(self) -> None: ...
    def clear_requests(self) -> None: ...
    def replace_ov_model(self, old: Any, new: Any) -> None: ...


@pytest.mark.parametrize(("wrong", "speaks", "same"), [(0, True, 27), (4, True, 15), (4, False, 15)])
def test_a_model_that_says_something_else_is_refused_and_the_noisiest_blocks_are_named(
    wrong: int, speaks: bool, same: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not one of random weights, which says whatever the noise makes it say."""
    text = list(range(10))
    said = [0 if index > PROMPT and index <= PROMPT + wrong else token for index, token in enumerate(text)]
    pairs = [(text, said), (text, text)]
    monkeypatch.setattr(_openvino_ptq, "hear", lambda *_: [clip(text)] * 3)
    monkeypatch.setattr(_openvino_ptq, "quantize_encoder", lambda *_: part(pairs * 3))
    monkeypatch.setattr(_openvino_ptq, "quantize_decoder", lambda *_: part(pairs * 3, 60.0))
    calibration = Calibration(summary="", identity="", clips=list, alphas=(0.5, 0.95), speaks=speaks)
    blocks = r"lowest SQNR 7\.5 dB \(encoder block layers\.1\) and 15\.0 dB \(decoder block layers\.1\)"
    if wrong and speaks:
        told = (
            rf"int8-ptq broke the model: on 3 calibration clips it says 15 of float32's 27 greedy tokens, .*{blocks};"
        )
        with pytest.raises(QuantizationError, match=told):
            quantize(Twin(), None, calibration)  # type: ignore[arg-type]
    else:
        (note,) = quantize(Twin(), None, calibration)  # type: ignore[arg-type]
        assert note.startswith(f"self-check on 3 calibration clips: says {same} of float32's 27 greedy tokens; lowest")
