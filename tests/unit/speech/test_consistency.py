"""What rows of a corpus contradict in each other, and what they may well differ in."""

import pytest

from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.consistency import _SPANS_OF_ONE_FILE, inconsistencies
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.system.scratch import scratch


def row(text: str, number: int = 0, language: str | None = None, **about: object) -> Utterance:
    sound = {"offset": about.pop("offset", 0.0), "seconds": about.pop("seconds", None), "file": about.pop("file", None)}
    audio = AudioSource(label=f"{number}.wav", **sound)  # type: ignore[arg-type]
    return Utterance(id=f"{number}.wav", where="", audio=audio, reference=text, language=language, **about)  # type: ignore[arg-type]


def found(*rows: Utterance, normalizer: str = "whisper-basic") -> list[str]:
    corpus = Corpus(name="c", utterances=rows)
    return [message for _, message in inconsistencies(corpus, normalizers.get(normalizer))]


def test_spans_of_many_files_are_looked_through_once() -> None:
    with scratch() as database:
        database.execute("CREATE TABLE spans (file BLOB, offset REAL, seconds REAL, place INTEGER)")
        plan = " ".join(row[-1] for row in database.execute(f"EXPLAIN QUERY PLAN {_SPANS_OF_ONE_FILE}"))
    assert "USING AUTOMATIC" in plan


def test_spans_that_share_sound() -> None:
    file = "a.wav"
    spans = [(0.0, 3.0), (2.8, 2.0), (4.0, 3.0), (7.0, 1.0)]
    rows = [row("one", n, file=file, offset=begin, seconds=seconds) for n, (begin, seconds) in enumerate(spans)]
    (message,) = found(*rows)
    assert message.startswith("2.wav shares 0.80 s of its recording with 1.wav")
    assert found(*(row("one", n, file=f"{n}.wav", seconds=9.0) for n in range(3))) == []


def test_one_span_in_another_is_named_with_it() -> None:
    file = "a.wav"
    spans = [(0.0, 9.0), (1.0, 1.0), (8.0, 3.0)]
    rows = [row("one", n, file=file, offset=begin, seconds=seconds) for n, (begin, seconds) in enumerate(spans)]
    assert [message.partition(" of")[0] for message in found(*rows)] == ["1.wav shares 1.00 s", "2.wav shares 1.00 s"]


def test_one_group_in_two_spellings() -> None:
    (message,) = found(*(row("one", n, cluster=name) for n, name in enumerate(("Anna", "anna", "Bert", "bert_", "c"))))
    assert message.startswith("the column cluster has 'Anna' (1) and 'anna' (1) in two spellings, and 1 more so")
    (message,) = found(*(row("one", n, slices=(("line", "phone" if n % 2 else "Phone"),)) for n in range(6)))
    assert message.startswith("the column line has 'Phone' (3) and 'phone' (3)")
    assert found(*(row("one", n, cluster=name) for n, name in enumerate(("A", "a", "1", "2")))) == []


def test_texts_that_were_cut_at_a_length() -> None:
    whole = [row("word " * (20 + n), n) for n in range(20)]
    cut = [row(f"{n} {'word ' * 60}"[:255], 100 + n) for n in range(3)]
    (message,) = found(*whole, *cut)
    assert message.startswith("3 transcripts, 100.wav the first, have 255 characters each and none has more")
    assert found(*whole, *cut[:2]) == []
    assert found(*whole, *([cut[0]] * 5)) == []  # one sentence, said by five
    filtered = [row(f"{n} " + "word " * 60, n) for n in range(60)]
    kept = [row(item.reference[: 255 - n // 3], n) for n, item in enumerate(filtered)]
    assert found(*kept) == []  # no more have the largest length than those below it


@pytest.mark.parametrize(
    ("texts", "language", "normalizer", "count"),
    [
        (["es waren zwanzig", "es waren 20"], "de", "whisper-basic", 1),
        (["es waren zwanzig", "es waren 21"], "de", "whisper-basic", 0),
        (["es waren zwei", "es waren 2"], "de", "whisper-basic", 0),
        (["there were twenty", "there were 20"], "en", "whisper-english", 0),
        (["there were twenty", "there were 20"], "en", "whisper-basic", 1),
        (["es waren zwanzig", "es waren 20"], "pl", "whisper-basic", 0),
    ],
)
def test_one_number_in_two_styles(texts: list[str], language: str, normalizer: str, count: int) -> None:
    messages = found(*(row(text, n, language) for n, text in enumerate(texts)), normalizer=normalizer)
    assert len(messages) == count
    assert all(one.startswith("0.wav writes 20 in words, and 1.wav () in digits") for one in messages)
