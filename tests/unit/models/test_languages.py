"""What a corpus says about languages, compared with what checkpoints know."""

import json
from pathlib import Path

import pytest

from pytest_whisperq.models.languages import hearable, is_multilingual
from pytest_whisperq.models.source import SourceModel
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.system.errors import BuildError, CorpusError


def corpus(*languages: str | None) -> Corpus:
    items = (
        Utterance(
            id=f"{number}.wav",
            where=f"metadata.csv:{number + 2}",
            audio=AudioSource(label=f"{number}.wav"),
            reference="one",
            language=language,
        )
        for number, language in enumerate(languages)
    )
    return Corpus(name="calls", utterances=tuple(items))


def source(directory: Path, **generation: object) -> SourceModel:
    directory.mkdir()
    (directory / "generation_config.json").write_text(json.dumps(generation))
    return SourceModel(name=directory.name, directory=directory, identity=directory.name)


def test_a_language_that_a_model_has_no_token_for_is_refused_by_its_line(tmp_path: Path) -> None:
    model = source(tmp_path / "small", is_multilingual=True, lang_to_id={"<|en|>": 1, "<|jw|>": 2})
    assert hearable(corpus("en", None, "jw"), [model]) == corpus("en", None, "jw")
    with pytest.raises(CorpusError, match=r"^metadata\.csv:4: small does not know the language 'jv'; write Whisper's"):
        hearable(corpus("en", None, "jv"), [model])


def test_of_an_english_only_model_the_english_part_is_heard(tmp_path: Path) -> None:
    english, both = source(tmp_path / "small.en", is_multilingual=False), source(tmp_path / "small")
    assert not is_multilingual(english)
    assert is_multilingual(both)
    assert [item.language for item in hearable(corpus("en", "es", None), [both, english]).utterances] == ["en", None]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", ""),
        ("", ""),
        ("\udcff", ""),
        ("[" * 100_000, ""),
        ("[]", ".*JSON object"),
        ('{"lang_to_id": ["en"]}', "lang_to_id must be a JSON object"),
    ],
    ids=["cut", "empty", "bytes", "deep", "list", "languages"],
)
def test_a_generation_config_that_is_none_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "generation_config.json"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(BuildError, match=f"^{path}: {told}.*; "):
        hearable(corpus("en"), [SourceModel(name="small", directory=tmp_path, identity="")])
