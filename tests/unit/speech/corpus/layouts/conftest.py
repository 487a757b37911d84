"""Recordings of a tenth of a second, wherever a layout has them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pytest_whisperq.speech.corpus import Corpus


@pytest.fixture
def clips(tmp_path: Path) -> Callable[..., Path]:
    """Write recordings of these names into the test's folder, and return it."""

    def write(*names: str, seconds: float = 0.1) -> Path:
        for number, name in enumerate(names, start=1):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.full(int(seconds * 16_000), number / 10), 16_000)
        return tmp_path

    return write


@pytest.fixture
def said() -> Callable[[Corpus], dict[str, str]]:
    """Return what is said in each utterance, by its id."""
    return lambda corpus: {item.id: item.reference for item in corpus.utterances}
