"""The language of a corpus that states none, and what becomes of one that does."""

from pathlib import Path

import pytest

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.speech.corpus.types import Choices
from pytest_whisperq.system.errors import ConfigError

GERMAN = Choices(language="de")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A chapter as LibriSpeech has it, which states no language."""
    chapter = tmp_path / "19" / "198"
    chapter.mkdir(parents=True)
    for number in range(2):
        (chapter / f"19-198-000{number}.flac").write_bytes(b"")
    (chapter / "19-198.trans.txt").write_text("19-198-0000 GUTEN TAG\n19-198-0001 BIS MORGEN\n")
    return tmp_path


def test_utterances_that_state_no_language_are_in_the_chosen_one(folder: Path) -> None:
    assert load_corpus(folder).languages == {None}
    corpus = load_corpus(folder, choices=GERMAN)
    assert corpus.languages == {"de"}
    assert corpus.utterances[0].slices == (("language", "de"),)
    assert corpus.told == ("2 of 2 utterances state no language and are taken to be in de (--whisperq-language)",)
    assert corpus.notes == ()


def test_a_row_keeps_its_own_language_and_that_is_said(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.wav").write_bytes(b"")
    (tmp_path / "metadata.csv").write_text("file_name,text,lang\na.wav,tag,\nb.wav,day,en-GB\nc.wav,gut,German\n")
    corpus = load_corpus(tmp_path, choices=GERMAN)
    assert [item.language for item in corpus.utterances] == ["de", "en", "de"]
    assert corpus.told[0].startswith("1 of 3 utterances state no language")
    assert corpus.notes == (
        "--whisperq-language is de, and 1 of 3 utterances state another language and keep it (en: 1)",
    )


def test_the_embedded_corpus_keeps_its_languages_and_says_so() -> None:
    corpus = load_corpus(choices=GERMAN)
    assert corpus.languages == {"en", "es", "fr"}
    assert "591 of 601 utterances state another language and keep it" in corpus.notes[0]


def test_it_is_a_code_or_a_name() -> None:
    assert [resolve({"whisperq_language": one}).language for one in ("German", "pt-BR", "cmn_hans_cn")] == [
        *("de", "pt", "zh")
    ]
    with pytest.raises(ConfigError, match=r"--whisperq-language: must be a code such as en.* \(got 'klingonese'\)"):
        resolve({"whisperq_language": "klingonese"})
