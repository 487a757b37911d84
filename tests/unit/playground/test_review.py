"""A saved run is looked through, and what is wrong in its corpus becomes a corpus."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from pytest_whisperq.history.document import StoredRun
from pytest_whisperq.playground.review import Review
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import Corpus, load_corpus
from pytest_whisperq.system.errors import ConfigError

TEXTS = ["alpha bravo charlie", "delta echo foxtrot", "golf hotel india", ""]
KINDS = ["", "", "", "nonspeech"]
SAID = ["alpha bravo charlie", "delta", "golf hotel", "noise"]


@pytest.fixture
def corpus(tmp_path: Path, make_corpus: Callable[..., Path]) -> Corpus:
    columns = {"language": ["en"] * 4, "kind": KINDS, "line": ["mobile"] * 4, "cluster": ["a", "b", "c", "d"]}
    return load_corpus(make_corpus(tmp_path / "calls", TEXTS, columns))


def digests(corpus: Corpus) -> dict[str, str]:
    return {item.id: audio.pcm_digest(audio.load(item.audio)) for item in corpus.utterances}


def stored(corpus: Corpus, **changes: Any) -> StoredRun:
    sounds = digests(corpus)
    rows = [
        {
            "id": item.id,
            "clip": sounds[item.id],
            "seconds": 1.5,
            "language": "en",
            "reference": item.reference,
            "texts": {"base": item.reference, "cand": said},
            "errors": {"base": 0, "cand": len(item.reference.split()) - len(said.split())} if item.is_speech else None,
            "length": 3,
        }
        for item, said in zip(corpus.utterances, SAID, strict=True)
    ]
    models = {"base": {"role": "baseline"}, "cand": {"role": "candidate"}}
    settings = {"normalizer": "identity (1)", "metric": "wer"}
    document = {"redacted": False, "models": models, "settings": settings, "utterances": rows, **changes}
    return StoredRun(name="run.json", document=document)


@pytest.fixture
def review(corpus: Corpus, tmp_path: Path) -> Review:
    return Review(stored(corpus), corpus, digests(corpus), tmp_path / "marked")


def test_those_come_first_that_lost_most(review: Review) -> None:
    assert [review[place].id for place in range(len(review))][:2] == ["clip0001.wav", "clip0002.wav"]
    worst = review[0]
    assert (worst.lost, worst.candidate) == (2, "cand")
    assert (worst.reference, worst.original, worst.hypothesis) == ("delta echo foxtrot", "delta echo foxtrot", "delta")


def test_a_recording_is_played_as_it_is(review: Review, corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "clip.flac").write_bytes(review.sound("clip0001.wav") or b"")
    samples, rate = soundfile.read(tmp_path / "clip.flac", dtype="float32")
    assert rate == audio.SAMPLE_RATE
    assert samples == pytest.approx(audio.load(corpus.utterances[1].audio), abs=1e-3)
    assert review.sound("unknown.wav") is None


def test_what_is_marked_is_exported_as_a_corpus(review: Review, tmp_path: Path) -> None:
    review.mark("clip0002.wav", " golf  hotel ")
    review.mark("clip0003.wav", "there is a voice")
    review.mark("clip0001.wav", "delta echo foxtrot")
    review.mark("clip0000.wav", "")
    assert review.export() == tmp_path / "marked"
    exported = {item.id: item for item in load_corpus(tmp_path / "marked").utterances}
    assert {name: item.reference for name, item in exported.items()} == {
        "clip0000.wav": "",
        "clip0001.wav": "delta echo foxtrot",
        "clip0002.wav": "golf hotel",
        "clip0003.wav": "there is a voice",
    }
    assert [exported[name].kind for name in sorted(exported)] == ["nonspeech", "", "", ""]
    states = {name: dict(item.slices)["marked"] for name, item in exported.items()}
    assert states["clip0001.wav"] == "doubted"
    assert {states[name] for name in ("clip0000.wav", "clip0002.wav", "clip0003.wav")} == {"corrected"}
    assert (exported["clip0002.wav"].language, exported["clip0002.wav"].cluster) == ("en", "c")
    assert dict(exported["clip0002.wav"].slices)["line"] == "mobile"
    original = {item.id: item for item in review.corpus.utterances}
    assert (audio.load(exported["clip0002.wav"].audio) == audio.load(original["clip0002.wav"].audio)).all()


def test_an_export_is_replaced_by_the_next_one_and_nothing_else_is(review: Review, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing is marked yet"):
        review.export()
    review.mark("clip0002.wav", "golf")
    review.export()
    review.unmark("clip0002.wav")
    review.mark("clip0001.wav", "delta")
    review.export()
    assert [item.id for item in load_corpus(tmp_path / "marked").utterances] == ["clip0001.wav"]
    other = Review(stored(review.corpus), review.corpus, digests(review.corpus), tmp_path / "marked")
    other.mark("clip0001.wav", "echo")
    with pytest.raises(ConfigError, match="is there already; remove it"):
        other.export()
    assert load_corpus(tmp_path / "marked").utterances[0].reference == "delta"


def test_marks_are_seen_until_they_are_taken_back(review: Review) -> None:
    assert review.marked("clip0001.wav") is None
    review.mark("clip0001.wav", "")
    assert review.marked("clip0001.wav") == ""
    review.unmark("clip0001.wav")
    assert (review.marked("clip0001.wav"), dict(review.marks)) == (None, {})
    with pytest.raises(ConfigError, match=r"unknown\.wav is not in"):
        review.mark("unknown.wav", "a")


def test_a_run_without_texts_or_of_another_corpus_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"run\.json is redacted and has no texts"):
        Review(stored(corpus, redacted=True), corpus, digests(corpus), tmp_path)
    others = dict.fromkeys(digests(corpus), "another sound")
    with pytest.raises(ConfigError, match=r"has none of the recordings of run\.json"):
        Review(stored(corpus), corpus, others, tmp_path)
