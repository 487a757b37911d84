"""``corpus card``: what a corpus holds, and what only its owner knows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.__main__ import main


def test_a_card_says_what_there_is_and_what_nobody_knows(
    tmp_path: Path, make_corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["phone", "phone", "desk", "desk", "desk", ""]
    kinds = [""] * 5 + ["nonspeech"]
    make_corpus(tmp_path / "calls", [*["one two"] * 5, ""], {"line": lines, "kind": kinds})
    arguments = ["corpus", "card", str(tmp_path / "calls"), "--cache-dir", str(tmp_path / "cache")]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert text.startswith("# calls\n")
    assert "| utterances | 6, 1 without speech |" in text
    assert "| samples a second | 8000: 6 |" in text
    assert "## By line\n\n| line | utterances | minutes |\n| --- | --- | --- |\n| desk | 3 |" in text
    assert "| (none) | 1 |" in text
    for heading in ("## Origin", "## Consent and licence", "## Not covered"):
        assert heading in text
    assert main([*arguments, "--output", str(tmp_path / "CARD.md")]) == 0
    assert (tmp_path / "CARD.md").read_text() == text
    assert main([*arguments, "--output", str(tmp_path)]) == 2


def test_a_card_is_of_any_language_whatever_the_embedded_model_knows(
    tmp_path: Path, make_corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    make_corpus(tmp_path / "calls", ["早晨", "多謝"] * 10, {"language": ["yue", "zh"] * 10})
    assert main(["corpus", "card", str(tmp_path / "calls"), "--cache-dir", str(tmp_path / "cache")]) == 0
    text = capsys.readouterr().out
    assert "| yue | 10 |" in text
    assert "\n| characters | 40 (" in text
    assert "20 utterances / 40 characters certify" in text
    assert "of the texts changing by a character;" in text
    assert "| words |" not in text


def test_a_damaged_cache_is_said_and_is_no_part_of_the_card(
    tmp_path: Path, make_corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    make_corpus(tmp_path / "calls", ["one two", "three"])
    arguments = ["corpus", "card", str(tmp_path / "calls"), "--cache-dir", str(tmp_path / "cache")]
    assert main(arguments) == 0
    card, told = capsys.readouterr()
    index = tmp_path / "cache" / "audio-index.jsonl"
    index.write_bytes(index.read_bytes().replace(b"1.5", b"3.5", 1))
    assert main(arguments) == 0
    note = "note: audio index in the cache: 1 of 2 lines damaged; the recordings are read again\n"
    assert capsys.readouterr() == (card, told + note)


def test_a_card_says_how_transcripts_are_written(
    tmp_path: Path, make_corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["Twenty-one calls, please.", "HOLD THE LINE", "room 12", "доброе утро", "[noise]"]
    columns = {"language": ["en", "en", "en", "ru", "en"], "cluster": ["a", "a", "b", "", "b"]}
    make_corpus(tmp_path / "calls", texts, columns)
    assert main(["corpus", "card", str(tmp_path / "calls"), "--cache-dir", str(tmp_path / "cache")]) == 0
    text = capsys.readouterr().out
    for row in (
        "| utterances | 5, 1 without speech, 1 of them with a transcript without words |",
        "| recordings | 5 files |",
        "| languages | en: 3, ru: 1 |",
        "| scripts | LATIN: 3, CYRILLIC: 1 |",
        "| case of transcripts | small letters: 2, both: 1, capitals: 1 |",
        "| punctuation | marks in 1 of 4 transcripts |",
        "| numbers | 1 transcripts have digits; 1 have numbers from 13 on in words; number words of 1 are not read |",
        "| independent groups | 3; clusters of 1 to 2 utterances; 1 utterances are in none |",
        "| note | clip0004.wav: a transcript has no words under",
    ):
        assert row in text, row
