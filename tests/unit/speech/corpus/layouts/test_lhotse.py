"""Manifests of lhotse."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.system.errors import CorpusError


def recording(name: str, **changes: Any) -> dict[str, Any]:
    source = {"type": "file", "channels": [0], "source": f"{name}.wav"}
    return {"id": name, "sources": [source], "sampling_rate": 16_000, "duration": 3.0, **changes}


def supervision(name: str, start: float, duration: float, text: str) -> dict[str, Any]:
    told = {"id": f"{name}-{start}", "recording_id": name, "start": start, "duration": duration, "channel": 0}
    return {**told, "text": text, "language": "English", "speaker": "anna"}


def cut(start: float, *told: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": "cut",
        "start": start,
        "duration": 2.0,
        "channel": 0,
        "type": "MonoCut",
        "supervisions": list(told),
        "recording": recording("a"),
        **changes,
    }


def write(path: Path, *rows: dict[str, Any]) -> None:
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def test_supervisions_of_cuts_are_utterances(clips: Callable[..., Path]) -> None:
    folder = clips("a.wav", seconds=3)
    whole = supervision("a", 0, 3.0, "all of it")
    path = folder / "cuts_test.jsonl.gz"
    write(path, cut(1.0, supervision("a", 0.5, 1.0, "two")), cut(0.0, whole), cut(0.0, supervision("a", 0, 1, "one")))
    for location in (folder, path):
        corpus = load_corpus(location)
        assert [(item.reference, item.audio.offset, item.audio.seconds) for item in corpus.utterances] == [
            ("two", 1.5, 1.0),
            ("all of it", 0.0, None),
            ("one", 0.0, 1.0),
        ]
        assert {(item.language, item.cluster) for item in corpus.utterances} == {("en", "anna")}


def test_recordings_with_supervisions_are_read_too(clips: Callable[..., Path]) -> None:
    folder = clips("a.wav", seconds=3)
    write(folder / "recordings.jsonl", recording("a"))
    write(folder / "supervisions.jsonl", *(supervision("a", at, 0.5, f"{at}") for at in (0, 1, 2)))
    assert [item.audio.offset for item in load_corpus(folder).utterances] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"type": "MixedCut", "tracks": [], "supervisions": []}, "MixedCut cut mixes tracks; write the cuts to files"),
        ({"recording": recording("a", sources=[])}, "is no supervision of one recording in one file"),
        (
            {"recording": recording("a", sources=[{"type": "url", "source": "https://x"}])},
            r"its recording is no plain file \(url\)",
        ),
        (
            {"recording": recording("a", sources=[{"type": "file", "source": "a.wav", "channels": [0, 1]}])},
            "its recording has 2 channels, which would be mixed",
        ),
    ],
)
def test_a_cut_that_is_no_part_of_a_file_is_named(
    clips: Callable[..., Path], changes: dict[str, Any], says: str
) -> None:
    folder = clips("a.wav", seconds=3)
    write(folder / "cuts.jsonl", cut(0.0, supervision("a", 0, 1, "x"), **changes))
    with pytest.raises(CorpusError, match=rf"cuts\.jsonl:1: {says}"):
        load_corpus(folder)


def test_a_damaged_file_is_named(clips: Callable[..., Path]) -> None:
    folder = clips("a.wav")
    (folder / "cuts.jsonl.gz").write_bytes(b"\x1f\x8b broken")
    with pytest.raises(CorpusError, match=r"cuts\.jsonl\.gz:1: cannot be read as JSON Lines"):
        load_corpus(folder)
