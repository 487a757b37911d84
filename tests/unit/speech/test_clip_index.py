"""The memory of clips: nothing is decoded twice, nothing is believed when the bytes changed."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pytest_whisperq.speech import audio, clip_index
from pytest_whisperq.speech.clip_index import AudioIndex, ClipFacts
from pytest_whisperq.speech.corpus import Corpus, load_corpus
from pytest_whisperq.speech.integrity import UNTOLD
from pytest_whisperq.system import files
from pytest_whisperq.system.errors import CorpusError, StoreError


@pytest.fixture
def corpus(tmp_path: Path, make_corpus: Callable[..., Path]) -> Corpus:
    return load_corpus(make_corpus(tmp_path / "corpus", ["one", "two", "three"]))


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The label of every clip that was decoded."""
    labels: list[str] = []
    read = audio.read

    def counted(source: audio.AudioSource, longest: float | None = None) -> audio.Recording:
        labels.append(source.label)
        return read(source, longest)

    monkeypatch.setattr(audio, "read", counted)
    return labels


def probe(root: Path, corpus: Corpus, repairs: list[str] | None = None) -> dict[str, ClipFacts]:
    return AudioIndex(root, [].append if repairs is None else repairs.append).probe(corpus, lambda done, total: None)


def test_facts_are_digest_and_duration(tmp_path: Path, corpus: Corpus) -> None:
    facts = probe(tmp_path, corpus)
    assert list(facts) == ["clip0000.wav", "clip0001.wav", "clip0002.wav"]
    first = corpus.utterances[0]
    samples = audio.load(first.audio)
    assert facts[first.id] == ClipFacts(
        digest=audio.pcm_digest(samples), seconds=1.5, peak=float(np.abs(samples).max()), notes=()
    )


def test_notes_on_a_recording_are_remembered(tmp_path: Path, corpus: Corpus, decodes: list[str]) -> None:
    path = tmp_path / "corpus" / "clip0001.wav"
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xff" * 4
    path.write_bytes(data)
    for _ in range(2):
        facts = probe(tmp_path, corpus)
        assert [fact.notes for fact in facts.values()] == [(), (UNTOLD,), ()]
    assert len(decodes) == 3


def test_a_second_run_decodes_nothing_and_reports_no_progress(
    tmp_path: Path, corpus: Corpus, decodes: list[str]
) -> None:
    seen: list[tuple[int, int]] = []
    first = AudioIndex(tmp_path, print).probe(corpus, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert len(decodes) == 3
    assert AudioIndex(tmp_path, print).probe(corpus, lambda done, total: seen.append((done, total))) == first
    assert len(decodes) == 3
    assert len(seen) == 3


def test_a_changed_recording_is_decoded_again(tmp_path: Path, corpus: Corpus, decodes: list[str]) -> None:
    before = probe(tmp_path, corpus)
    soundfile.write(tmp_path / "corpus" / "clip0001.wav", np.full(3_200, 0.1), 16_000)
    after = probe(tmp_path, corpus)
    assert decodes[3:] == ["clip0001.wav"]
    assert after["clip0001.wav"].seconds == 0.2
    assert after["clip0001.wav"].digest != before["clip0001.wav"].digest
    assert after["clip0000.wav"] == before["clip0000.wav"]


def test_two_spans_of_one_recording_are_two_clips(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.linspace(-1, 1, 32_000), 16_000)
    rows = (f'{{"file_name": "long.wav", "text": "x", "offset": {at}, "duration": 0.5}}' for at in (0.5, 1.0))
    (tmp_path / "metadata.jsonl").write_text("\n".join(rows), encoding="utf-8")
    facts = list(probe(tmp_path, load_corpus(tmp_path)).values())
    assert [fact.seconds for fact in facts] == [0.5, 0.5]
    assert facts[0].digest != facts[1].digest


@pytest.mark.parametrize("damage", ["{", "[]", '{"a": 1}', '{"a": ["x"]}', "null", "\xff", "[" * 100_000])
def test_a_damaged_index_is_forgotten_and_written_anew(tmp_path: Path, corpus: Corpus, damage: str) -> None:
    expected = probe(tmp_path, corpus)
    index, repairs = tmp_path / "audio-index.jsonl", list[str]()
    sound = index.read_bytes()
    index.write_bytes(f"{damage}\n".encode("latin-1"))
    assert probe(tmp_path, corpus, repairs) == expected
    assert repairs == ["audio index in the cache: 1 of 1 line damaged; the recordings are read again"]
    assert index.read_bytes() == sound


@pytest.mark.parametrize(("old", "new"), [(b"1.5", b"3.5"), (b'"digest": "', b'"digest": "0')])
def test_a_changed_line_is_said_and_its_recording_alone_is_read_again(
    tmp_path: Path, corpus: Corpus, decodes: list[str], old: bytes, new: bytes
) -> None:
    """Its length decides what is refused, and its digest which transcripts are read."""
    expected = probe(tmp_path, corpus)
    index, repairs = tmp_path / "audio-index.jsonl", list[str]()
    index.write_bytes(index.read_bytes().replace(old, new, 1))
    assert probe(tmp_path, corpus, repairs) == expected
    assert repairs == ["audio index in the cache: 1 of 3 lines damaged; the recordings are read again"]
    assert len(decodes) == 4
    probe(tmp_path, corpus, repairs)
    assert len(repairs) == 1


def test_damage_to_what_another_corpus_left_is_mended_too(tmp_path: Path, corpus: Corpus, decodes: list[str]) -> None:
    probe(tmp_path, corpus)
    part = Corpus(name="a", utterances=corpus.utterances[:2])
    index, repairs = tmp_path / "audio-index.jsonl", list[str]()
    head, _, last = index.read_bytes().strip().rpartition(b"\n")
    index.write_bytes(head + b"\n" + last.swapcase() + b"\n")
    probe(tmp_path, part, repairs)
    assert (len(repairs), len(decodes)) == (1, 3)
    assert index.read_bytes() == head + b"\n"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every recording whose bytes were read; files count as settled at once."""
    labels: list[str] = []
    start = audio.AudioSource.open

    def counted(source: audio.AudioSource) -> object:
        labels.append(source.label)
        return start(source)

    monkeypatch.setattr(audio.AudioSource, "open", counted)
    monkeypatch.setattr(clip_index, "UNSETTLED", -(10**18))
    return labels


def test_an_unchanged_file_is_not_read_and_a_changed_one_is_whatever_of_it_stayed(
    tmp_path: Path, corpus: Corpus, opened: list[str]
) -> None:
    before = probe(tmp_path, corpus)
    opened.clear()
    assert probe(tmp_path, corpus) == before
    assert opened == []
    path = tmp_path / "corpus" / "clip0001.wav"
    state, data = path.stat(), bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # as a copy that keeps times: size and time are the same
    assert probe(tmp_path, corpus)["clip0001.wav"].digest != before["clip0001.wav"].digest
    assert set(opened) == {"clip0001.wav"}


def test_a_file_that_may_still_change_within_its_time_is_read_again(
    tmp_path: Path, corpus: Corpus, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_index, "UNSETTLED", 10**18)
    probe(tmp_path, corpus)
    opened.clear()
    probe(tmp_path, corpus)
    assert len(opened) == 3
    assert not (tmp_path / "audio-files.jsonl").exists()


def test_a_damaged_digest_is_said_and_its_file_read_again(tmp_path: Path, corpus: Corpus, opened: list[str]) -> None:
    expected, repairs = probe(tmp_path, corpus), list[str]()
    index = tmp_path / "audio-files.jsonl"
    index.write_bytes(index.read_bytes().replace(b'"digest": "', b'"digest": "0', 1))
    opened.clear()
    assert probe(tmp_path, corpus, repairs) == expected
    assert repairs == ["digests of recordings in the cache: 1 of 3 lines damaged; those files are read again"]
    assert len(opened) == 1
    probe(tmp_path, corpus, repairs)
    assert len(repairs) == 1


def test_corpora_share_the_index(tmp_path: Path, corpus: Corpus, decodes: list[str]) -> None:
    one, two = AudioIndex(tmp_path, print), AudioIndex(tmp_path, print)  # two processes that started together
    one.probe(Corpus(name="a", utterances=corpus.utterances[:1]), lambda done, total: None)
    two.probe(Corpus(name="b", utterances=corpus.utterances[1:]), lambda done, total: None)
    probe(tmp_path, corpus)
    assert len(decodes) == 3


def test_broken_audio_is_named_with_its_manifest_line(tmp_path: Path, corpus: Corpus) -> None:
    (tmp_path / "corpus" / "clip0001.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"metadata\.csv:3: clip0001\.wav: the file is empty"):
        probe(tmp_path, corpus)


def test_a_clip_longer_than_the_window_is_refused_and_not_cut(tmp_path: Path, corpus: Corpus) -> None:
    path = tmp_path / "corpus" / "clip0002.wav"
    soundfile.write(path, np.zeros(30 * 16_000), 16_000)
    assert probe(tmp_path, corpus)["clip0002.wav"].seconds == 30.0
    soundfile.write(path, np.zeros(31 * 16_000), 16_000)
    with pytest.raises(CorpusError, match=r"metadata\.csv:4: clip0002\.wav: lasts 31 s.*split it at pauses"):
        probe(tmp_path, corpus)


def test_a_full_disk_is_a_store_error(tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StoreError, match=f"{tmp_path}: No space left on device.*--whisperq-cache-dir"):
        probe(tmp_path, corpus)
    assert not (tmp_path / "audio-index.jsonl").exists()
    assert not list(tmp_path.glob(".audio-index*"))


def test_a_recording_with_two_transcripts_is_refused(tmp_path: Path, make_corpus: Callable[..., Path]) -> None:
    folder = make_corpus(tmp_path / "twice", ["one", "two"])
    (folder / "clip0001.wav").write_bytes((folder / "clip0000.wav").read_bytes())
    with pytest.raises(CorpusError, match=r"metadata.csv:3: clip0001.wav is the same recording as clip0000.wav"):
        probe(tmp_path, load_corpus(folder))


def test_what_was_decoded_before_a_broken_clip_is_remembered(
    tmp_path: Path, make_corpus: Callable[..., Path], decodes: list[str]
) -> None:
    folder = make_corpus(tmp_path / "broken", ["one", "two"])
    good = (folder / "clip0001.wav").read_bytes()
    (folder / "clip0001.wav").write_bytes(b"RIFF")
    with pytest.raises(CorpusError):
        probe(tmp_path, load_corpus(folder))
    (folder / "clip0001.wav").write_bytes(good)
    probe(tmp_path, load_corpus(folder))
    assert decodes.count("clip0000.wav") == 1
