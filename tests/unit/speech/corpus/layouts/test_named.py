"""Layouts that are told from others, and not read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.speech.corpus.layouts.named import NAMED
from pytest_whisperq.system.errors import CorpusError


@pytest.mark.parametrize("suffix", NAMED)
@pytest.mark.parametrize("names_file", [True, False])
def test_a_layout_that_is_not_read_is_named_with_what_converts_it(
    clips: Callable[..., Path], suffix: str, names_file: bool
) -> None:
    folder = clips("call.wav")
    path = folder / f"call{suffix}"
    path.write_bytes(b"")
    what, remedy = NAMED[suffix]
    with pytest.raises(CorpusError) as caught:
        load_corpus(path if names_file else folder)
    assert str(caught.value) == f"{path}: holds {what}, which is not read; {remedy}"
