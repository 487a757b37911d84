"""The normalizers: each under its name and version, with the default chosen by language."""

import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jiwer
import pytest

from pytest_whisperq.__main__ import main
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus import EMBEDDED, Corpus, Utterance, load_corpus
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.speech.substitutions import Substitutions
from pytest_whisperq.system.errors import ConfigError


def corpus(*said: tuple[str | None, str]) -> Corpus:
    """Utterances with their language and text."""
    return Corpus(
        name="made",
        utterances=tuple(
            Utterance(id=text, where="", audio=AudioSource(label=""), reference=text, language=language)
            for language, text in said
        ),
    )


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("identity", "  It's\n 3 o'clock! ", "It's 3 o'clock!"),
        ("whisper-basic", "¡Hola,  Señor—Müller!", "hola señor müller"),
        ("whisper-basic", "a [noise] b (cough)", "a b"),
        ("whisper-english", "Mr. Neil won't pay twenty-one dollars", "mister neil will not pay $21"),
        ("whisper-english", "The colour, um, of grey", "the color of gray"),
        ("wer-standardize", "  I'm HERE, <noise> now ", "i am here, now"),
    ],
)
def test_what_each_normalizer_does(name: str, text: str, expected: str) -> None:
    assert normalizers.get(name)(text) == expected


@pytest.mark.parametrize("name", ["whisper-basic", "whisper-english", "by-language"])
def test_most_texts_are_known_to_leave_words(name: str) -> None:
    def apply(text: str, language: str | None) -> str:
        raise AssertionError(text)

    normalizer = replace(normalizers.get(name), apply=apply)
    for text in ("Yes, of course.", "Where’s the café — there?", "one hundred and eleven times"):
        assert normalizer.leaves_words(text)
    for text in ("Mm-hmm.", "[laughter]", "and a half", "(well)", "poi\u00adnt", "Minu\u0301s"):
        with pytest.raises(AssertionError):
            normalizer.leaves_words(text)


def test_no_text_of_a_large_corpus_is_normalized_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def english(text: str) -> str:
        seen.append(text)
        return text

    monkeypatch.setattr(normalizers, "_english", lambda: english)
    normalize = normalizers._plain_english.__wrapped__()  # what is remembered by others stays
    texts = [f"number {number}" for number in range(20_000)]
    assert [normalize(text) for text in 2 * texts] == 2 * texts
    assert seen == texts


def test_of_substitutions_nothing_is_known() -> None:
    assert normalizers.get("whisper-english", Substitutions({"yeah": ""})).keeps is None


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Mr. Neil's grey, um, colour", "mister neil is gray color"),
        ("fr", "Où est l'été, Mr. ?", "où est l été mr"),
        (None, "It's GREY", "it s grey"),  # nobody says that it is English
        ("hi", "हिन्दी में, यह (शोर) ठीक है। २१", "हिन्दी में यह ठीक है 21"),
        ("ta", "வணக்கம், நண்பர்களே!", "வணக்கம் நண்பர்களே"),
        ("th", "ยินดีต้อนรับ, ครับ!", "ยินดีต้อนรับ ครับ"),
        ("my", "မင်္ဂလာပါ။", "မင်္ဂလာပါ"),
        ("yo", "Ẹ́ kú àárọ̀!", "ẹ́ kú àárọ̀"),  # no single character for the first letter, nor for the last
        ("de", "gut ❤️", "gut"),
    ],
)
def test_by_language_keeps_what_belongs_to_letters(language: str | None, text: str, expected: str) -> None:
    found = normalizers.get("by-language")(text, language)
    assert found == unicodedata.normalize("NFKC", expected)


def test_whisper_basic_cuts_words_at_vowel_signs() -> None:
    """Why `by-language` is not simply that; a release of whisper-normalizer may end it."""
    assert normalizers.get("whisper-basic")("हिन्दी", "hi") == "ह न द"


def test_only_by_language_minds_the_language() -> None:
    for name in normalizers.NORMALIZERS:
        one = normalizers.get(name)
        assert (one("The Grey, 5", "en") == one("The Grey, 5", "fr")) is (one.name != "by-language")


@pytest.mark.parametrize("own", normalizers.NORMALIZERS)
def test_raw_basic_and_by_language_are_compared_with_a_gate_s_own(own: str) -> None:
    names = [one.name for one in normalizers.compared(normalizers.get(own))]
    assert names == [name for name in ("identity", "whisper-basic", "by-language") if name != own.removesuffix("@1")]


@pytest.mark.parametrize("name", normalizers.NORMALIZERS)
@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_nothing_stays_nothing(name: str, text: str) -> None:
    assert normalizers.get(name)(text) == ""


def test_wer_standardize_scores_as_jiwer_does() -> None:
    """The published int8 comparisons called jiwer with its own transformation."""
    reference, hypothesis = "Don't STOP  me, now [laugh]", "do not stop me now"
    ours = normalizers.get("wer-standardize")
    expected = jiwer.wer(
        reference,
        hypothesis,
        reference_transform=jiwer.wer_standardize,
        hypothesis_transform=jiwer.wer_standardize,
    )
    assert expected > 0
    assert jiwer.wer(ours(reference), ours(hypothesis)) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("en", "grey")], "whisper-english"),
        ([("en", "grey"), ("de", "größer")], "whisper-basic"),
        ([("en", "grey"), (None, "grey")], "whisper-basic"),
        ([("fr", unicodedata.normalize("NFD", "été"))], "whisper-basic"),  # composes
        ([("ja", "がぎぐ、元気です")], "whisper-basic"),
        ([("en", "grey"), ("hi", "हिन्दी")], "by-language"),
        ([("th", "ยินดี")], "by-language"),
        ([("ar", "مَرْحَبًا")], "whisper-basic"),  # these marks are taken off first
        ([], "whisper-basic"),
    ],
)
def test_the_default_suits_the_corpus(said: list[tuple[str | None, str]], expected: str) -> None:
    assert normalizers.choose(None, corpus(*said)) == expected
    assert normalizers.choose("identity", corpus(*said)) == "identity"


def test_the_embedded_corpus_keeps_the_normalizer_of_its_published_figures() -> None:
    assert normalizers.choose(None, load_corpus(EMBEDDED)) == "whisper-basic"


def test_an_unknown_normalizer_lists_the_valid_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"'whisper'.*valid: by-language, by-language@1, identity, wer-standardize, whisper-basic, "
    ):
        normalizers.get("whisper")


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("identity", "1"),
        ("whisper-english", "whisper-normalizer 0."),
        ("by-language", "whisper-normalizer 0."),
        ("wer-standardize", "jiwer 4."),
    ],
)
def test_a_normalizer_names_the_code_that_does_it(name: str, version: str) -> None:
    assert str(normalizers.get(name)).startswith(f"{name} ({version}")


PAGE = Path(__file__).parents[3] / "docs" / "normalizers.md"
PAIRS = re.findall(r"^\| (\w\w) \| `(.+?)` \| `(.+?)` \| (\w+) \| (\w+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)


def test_the_documentation_has_a_table_of_pairs() -> None:
    assert len(PAIRS) >= 25
    assert {language for language, *_ in PAIRS} >= {"en", "de", "ja", "ar", "he", "fa", "hi", "tr"}


@pytest.mark.parametrize(("language", "one", "other", "published", "now"), PAIRS)
def test_pairs_are_the_same_or_differ_as_documented(
    language: str, one: str, other: str, published: str, now: str
) -> None:
    texts = [re.sub(r"\\u(\w{4})", lambda match: chr(int(match[1], 16)), text) for text in (one, other)]
    for name, expected in (("by-language@1", published), ("by-language", now)):
        found = {normalizers.get(name)(text, language) for text in texts}
        assert "" not in found
        assert (len(found) == 1) is (expected == "same"), found


@pytest.mark.parametrize("name", ["whisper-basic", "whisper-english", "by-language"])
def test_the_revision_before_is_whisper_s_own(name: str) -> None:
    now, published = normalizers.get(name), normalizers.get(f"{name}@1")
    assert str(now) == str(published).replace(")", f"+{normalizers.REVISION})")
    assert [step for step, _ in published.steps("a", "en")] == [name]
    assert [step for step, _ in now.steps("a", "en")] == ["typography", name]


@pytest.mark.parametrize("name", normalizers.NORMALIZERS)
def test_steps_end_in_what_is_compared(name: str) -> None:
    own = Substitutions({"grey": "gray"})
    for substitutions in (None, own):
        normalizer = normalizers.get(name, substitutions)
        assert list(normalizer.steps("The <b>Grey’s O’Brien", "en"))[-1][1] == normalizer("The <b>Grey’s O’Brien", "en")


def test_substitutions_come_before_and_are_a_part_of_the_version() -> None:
    one, other = (normalizers.get("whisper-basic", Substitutions({"e.g.": text})) for text in ("for example", "say"))
    assert one("E.g. this, or that.") == "for example this or that"
    assert len({str(one), str(other), str(normalizers.get("whisper-basic"))}) == 3
    assert str(one) == str(normalizers.get("whisper-basic", Substitutions({"e.g.": "for example"})))


def test_a_saved_run_s_normalizer_is_found_by_what_it_was_called_then() -> None:
    own = Substitutions({"grey": "gray"})
    for name in normalizers.NORMALIZERS:
        for substitutions in (None, own):
            wanted = normalizers.get(name, substitutions)
            found = normalizers.restore(str(wanted), substitutions)
            assert found is not None
            assert (str(found), found("Grey’s")) == (str(wanted), wanted("Grey’s"))
    assert normalizers.restore("whisper-basic (whisper-normalizer 0.0.1)") is None
    assert normalizers.restore(str(normalizers.get("whisper-basic", own))) is None  # without its substitutions


def test_raw_texts_are_compared_without_substitutions() -> None:
    own = Substitutions({"grey": "gray"})
    raw, other = normalizers.compared(normalizers.get("whisper-basic", own), own)
    assert (raw("grey"), other("grey")) == ("grey", "gray")


def test_one_s_own_is_known_while_it_is_registered() -> None:
    mine = Normalizer(name="mine", version="3", apply=lambda text, language: text.upper())
    forget = normalizers.register([[mine]])
    try:
        assert "mine" in normalizers.names()
        assert normalizers.get("mine")("a") == "A"
        assert str(normalizers.get("mine", Substitutions({"a": "b"}))).startswith("mine (3, substitutions ")
        assert normalizers.get("mine", Substitutions({"a": "b"}))("a") == "B"
    finally:
        forget()
    assert "mine" not in normalizers.names()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (str, r"a normalizer is a value of pytest_whisperq.Normalizer \(got <class 'str'>\)"),
        (Normalizer(name="identity", version="1", apply=lambda text, _: text), "the name 'identity' is taken"),
    ],
)
def test_what_is_no_normalizer_or_takes_a_name_is_refused(what: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        normalizers.register([[what]])


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The distribution of a package that brings normalizers, in a folder on ``sys.path``; forgotten afterwards."""
    info = tmp_path / "tones-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tones\nVersion: 1.0\n")
    group = f"[{normalizers.GROUP}]\ntoneless = tones_of_a_test:TONELESS\nbroken = tones_of_a_test:NONE\n"
    (info / "entry_points.txt").write_text(group)
    (tmp_path / "tones_of_a_test.py").write_text(
        "from pytest_whisperq import Normalizer\n"
        "TONELESS = Normalizer(name='toneless', version='3', apply=lambda text, language: text.rstrip('12345'))\n"
        "NONE = str.lower\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    vars(normalizers._EXTENSIONS).pop("installed", None)
    yield tmp_path
    vars(normalizers._EXTENSIONS).pop("installed", None)
    sys.modules.pop("tones_of_a_test", None)


def test_an_installed_package_brings_a_normalizer(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = normalizers.get("toneless", Substitutions({"yat1": "jat1"}))
    assert one("yat1") == "jat"
    assert str(one).startswith("toneless (3, substitutions ")
    assert "toneless" in normalizers.names()
    assert main(["normalize", "yat1", "--normalizer", "toneless"]) == 0
    assert capsys.readouterr().out.startswith("toneless (3)\n")


def test_what_an_installed_package_brings_has_to_be_one(package: Path) -> None:
    with pytest.raises(ConfigError, match=r"a normalizer is a value of pytest_whisperq.Normalizer \(got <method"):
        normalizers.get("broken")
    entries = package / "tones-1.0.dist-info" / "entry_points.txt"
    entries.write_text(f"[{normalizers.GROUP}]\nidentity = tones_of_a_test:TONELESS\n")
    vars(normalizers._EXTENSIONS).pop("installed", None)
    with pytest.raises(ConfigError, match="the normalizer name 'identity' of tones_of_a_test:TONELESS is taken"):
        normalizers.get("toneless")
