"""Long recordings: their utterances, and a long text cut where they part."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.measuring.longform import cut, share_out
from pytest_whisperq.measuring.scores import count_errors
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.corpus.longform import load_long_form, whole
from pytest_whisperq.system.errors import CorpusError

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=5).map(" ".join)


@pytest.mark.parametrize(
    ("references", "hypothesis", "expected"),
    [
        (["one two", "three four"], "one two three four", ["one two", "three four"]),
        (["one two", "three four"], "one too three four", ["one too", "three four"]),
        (["one two", "three four"], "three four", ["", "three four"]),
        (["one two", "three four"], "one two", ["one two", ""]),
        (["one two", "three four"], "", ["", ""]),
        (["one two", "three four"], "one two three four four four", ["one two", "three four four four"]),
        (["one two", "three four"], "one two x three four", ["one two", "x three four"]),
        (["il est 10\u00a0h", "merci"], "il est 10\u00a0h merci", ["il est 10\u00a0h", "merci"]),
    ],
)
def test_words_go_to_the_utterance_they_stand_for(references: list[str], hypothesis: str, expected: list[str]) -> None:
    assert cut(references, hypothesis) == expected


@given(st.lists(WORDS, min_size=1, max_size=6), WORDS)
def test_no_word_is_lost_or_moved_and_the_errors_are_those_of_the_whole(references: list[str], hypothesis: str) -> None:
    shares = cut(references, hypothesis)
    assert len(shares) == len(references)
    assert " ".join(filter(None, shares)) == hypothesis
    pieces = sum(count_errors(text, share).errors for text, share in zip(references, shares, strict=True))
    assert pieces == count_errors(" ".join(references), hypothesis).errors


def test_where_no_space_parts_words_characters_are_cut() -> None:
    assert cut(["今日は 晴れ", "明日は雨"], "今日は晴明日 は雨", spaced=False) == ["今日は晴", "明日は雨"]


def test_references_without_a_word_cannot_be_cut_by() -> None:
    with pytest.raises(ValueError, match="without a word"):
        cut(["", ""], "one")


def test_the_embedded_recordings_are_minutes_long_and_in_order() -> None:
    corpus = load_long_form()
    recordings = whole(corpus)
    assert [recording.language for recording in recordings] == ["en", "es"]
    assert [item for recording in recordings for item in recording.utterances] == list(corpus.utterances)
    for recording in recordings:
        starts = [item.audio.offset for item in recording.utterances]
        assert starts == sorted(starts)
        assert starts[-1] > 120
    assert len({item.cluster for item in corpus.utterances}) >= 5


def listing(folder: Path, rows: list[dict[str, object]]) -> Path:
    for row in rows:
        (folder / str(row["audio_filepath"])).touch()
    path = folder / "spans.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_manifest_of_spans_is_put_together_in_the_order_of_times(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"audio_filepath": "call.wav", "text": "later", "offset": 40, "duration": 1},
        {"audio_filepath": "call.wav", "text": "sooner", "offset": 1, "duration": 1},
    ]
    corpus = load_long_form(str(listing(tmp_path, rows)))
    assert [item.reference for item in corpus.utterances] == ["sooner", "later"]
    assert [item.cluster for item in corpus.utterances] == ["call.wav@0", "call.wav@1"]
    (recording,) = whole(corpus)
    assert recording.audio.seconds is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"audio_filepath": "call.wav", "text": "one"}, "spans.jsonl:2: a long recording is listed by its utterances"),
        (
            {"audio_filepath": "call.wav", "text": "un", "offset": 9, "duration": 1, "language": "fr"},
            "spans.jsonl:2: call.wav is in two languages",
        ),
    ],
)
def test_a_row_that_is_no_span_of_one_language_is_refused(row: dict[str, object], message: str, tmp_path: Path) -> None:
    first: dict[str, object] = {"audio_filepath": "call.wav", "text": "one", "offset": 1, "duration": 1}
    with pytest.raises(CorpusError, match=message):
        load_long_form(str(listing(tmp_path, [{**first, "language": "en"}, row])))


@pytest.mark.parametrize(
    ("texts", "heard", "expected"),
    [
        (["five six", "seven eight"], "five six seven eight", ["56", "78"]),
        (["five six", "seven eight"], "five six, seven - eight.", ["56", "78"]),
        (["it is the sixty", "six it is not"], "It's the sixty six it isn't", ["it is the 60", "6 it is not"]),
        (["five six", "uh yes"], "", ["", ""]),
    ],
)
def test_numbers_do_not_run_together_where_utterances_part(
    tmp_path: Path, texts: list[str], heard: str, expected: list[str]
) -> None:
    rows: list[dict[str, object]] = [
        {"audio_filepath": "call.wav", "text": text, "offset": 5 * number, "duration": 4, "language": "en"}
        for number, text in enumerate(texts)
    ]
    (recording,) = whole(load_long_form(str(listing(tmp_path, rows))))
    assert share_out(recording, heard, normalizers.get("whisper-english")) == expected


def test_a_recording_that_is_there_twice_has_the_clusters_of_one(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"audio_filepath": name, "text": f"at {start}", "offset": start, "duration": 1}
        for name in ("call.wav", "copy.wav", "other.wav")
        for start in (1, 40)
    ]
    path = listing(tmp_path, rows)
    (tmp_path / "other.wav").write_bytes(b"another sound")
    clusters = [item.cluster for item in load_long_form(str(path)).utterances]
    assert clusters[:2] == clusters[2:4]
    assert len(set(clusters)) == 4
