"""What a transcript tells of itself: what nobody says is named, and what somebody may say is not."""

import pytest

from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus import Utterance
from pytest_whisperq.speech.transcripts import fault, translation_fault


def of(text: str, language: str | None = "en", name: str = "call_7.wav") -> str:
    return fault(Utterance(id=name, where="", audio=AudioSource(label=name), reference=text, language=language))


@pytest.mark.parametrize(
    ("text", "language", "message"),
    [
        ("call_7", "en", "the transcript 'call_7' is the name of a file"),
        ("recordings/monday.WAV", "en", "is the name of a file"),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "en", "is the name of a file"),
        ("Marks &amp; Spencer", "en", "holds '&amp;', a character as HTML"),
        ("it&#39;s me", "en", "holds '&#39;'"),
        (r"caf\u00e9 au lait", "fr", "an escape that was never read"),
        (r"hello\nhow are you", "en", "an escape that was never read"),
        ("00:00:01,500 --> 00:00:04,000 hello", "en", "a time of subtitles"),
        ("hello [00:12] there", "en", "holds '[00:12]', a time"),
        ("hello <break time='500ms'/> there", "en", "the tag"),
        ("<|en|> hello", "en", "the tag '<|en|>'"),
        ("a <b>bold</b> claim", "en", "the tag '<b>'"),
        ("SPEAKER_01 hello", "en", "names a speaker ('SPEAKER_01')"),
        ("[Speaker 2]: hello", "en", "names a speaker"),
        ("Agent: how can I help", "en", "names a speaker ('Agent:')"),
        ("hello\u200b there", "en", "holds U+200B (ZERO WIDTH SPACE)"),
        ("hel\x07lo", "en", "holds U+0007"),
        ("\u202ehello there\u202c", "en", "holds U+202E"),
        ("M\u043escow calling", "en", "the word 'M\u043escow' has letters of another script"),
        ("\u041c\u043ec\u043a\u0432\u0430", "ru", "U+0063 LATIN SMALL LETTER C"),
        ("please hold the line", "ru", "the language is ru, written in CYRILLIC"),
        (
            "\u0434\u043e\u0431\u0440\u043e\u0435 \u0443\u0442\u0440\u043e \u0432\u0441\u0435\u043c",
            "de",
            "written in LATIN",
        ),
        ("你好欢迎致电客户服务中心", "en", "is in CJK"),
        ("what is it that you have for this", "de", "is in en by its small words"),
        ("ich habe es nicht und sie ist auch für mich", "en", "is in de by its small words"),
    ],
)
def test_what_nobody_says_is_named(text: str, language: str, message: str) -> None:
    assert message in of(text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("yes", "en"),
        ("monday", "en"),
        ("at&t and rock & roll; fine", "en"),
        ("half past 3:30, and John 3:16", "en"),
        ("he ran it in 1:23.45", "en"),
        ("if a < b and c > d", "en"),
        ("speaker after speaker: none knew", "en"),
        ("the agent: a man of forty", "en"),
        ("\u05e9\u05dc\u05d5\u05dd \u202aWindows\u202c", "he"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "fa"),
        ("\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u200b\u0e04\u0e23\u0e31\u0e1a", "th"),
        ("in\u00adternational", "en"),
        ("\u043d\u043e\u0432\u044b\u0439 iPhone\u0430 \u0438 IT-\u043e\u0442\u0434\u0435\u043b", "ru"),
        ("5 \u03bcm and \u03b2-blockers", "en"),
        ("WhatsApp", "ja"),
        ("Dobro jutro svima", "sr"),
        ("Добро јутро свима", "sr"),
        ("el la los que no es de una por con", "ca"),
        ("er sagte the end und ging nach Hause", "de"),
        ("det er ikke en av de som har vært der", "da"),
        ("this is the one", None),
    ],
)
def test_what_somebody_may_say_is_not(text: str, language: str | None) -> None:
    assert of(text, language, "monday.wav") == ""


@pytest.mark.parametrize(
    ("translation", "language", "message"),
    [
        ("it is here", "en", "is spoken in English and has a translation, which no gate looks at"),
        ("Das ist mein Haus", "de", "is the transcript; write what it says in English"),
        ("ich habe es nicht und sie ist auch für mich", "es", "is in de by its small words; write it in English"),
        ("this is my house&amp;", "de", "the translation holds '&amp;'"),
        ("this is my house", "de", ""),
        ("alpha bravo", "de", ""),
        ("", "en", ""),
    ],
)
def test_a_translation_is_into_english_and_of_another_language(translation: str, language: str, message: str) -> None:
    item = Utterance(
        id="a.wav", where="", audio=AudioSource(label="a.wav"), reference="das ist mein Haus", language=language,
        translation=translation,
    )  # fmt: skip
    assert message in translation_fault(item)
    assert bool(message) == bool(translation_fault(item))


def test_what_two_languages_share_is_no_missing_translation() -> None:
    item = Utterance(
        id="a.wav", where="", audio=AudioSource(label="a.wav"), reference="Lima 8", language="es", translation="Lima 8"
    )  # fmt: skip
    assert not translation_fault(item)
