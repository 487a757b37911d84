"""A corpus on the hub, of which a run asks for no more rows than it evaluates and calibrates on."""

from pathlib import Path

import pytest

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.models.calibration import SAMPLES
from pytest_whisperq.session import Session, recordings
from pytest_whisperq.speech.corpus import Corpus, load_corpus
from pytest_whisperq.speech.corpus.types import Choices


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ({"candidate": "openvino:int8", "max_utterances": "20"}, 20),
        ({"backend": "openvino", "max_utterances": "20", "on_inconclusive": "extend"}, None),
        ({"backend": "openvino"}, None),
        ({"candidate": "openvino:int8-ptq", "max_utterances": "20"}, 3 * SAMPLES),
        ({"candidate": "openvino:int8-ptq", "max_utterances": "20", "calibration_samples": "7"}, 34),
    ],
)
def test_no_more_rows_are_asked_for_than_are_used(
    typed: dict[str, str], rows: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Choices] = []

    def load(location: str, *, choices: Choices) -> Corpus:
        assert location == "owner/calls"
        asked.append(choices)
        return load_corpus()

    monkeypatch.setattr(recordings, "load_corpus", load)
    monkeypatch.setattr(recordings, "takes_embedded", lambda source: False)
    named = {"corpus": "owner/calls", "cache_dir": str(tmp_path), "seed": "3", **typed}
    session = Session(resolve({f"whisperq_{name}": value for name, value in named.items()}))
    assert session.recordings.whole_corpus.utterances  # which are read now
    assert [(one.hub_rows, one.hub_seed) for one in asked] == [(rows, 3)]
