"""Scripts and languages, as a text itself tells."""

import pytest

from pytest_whisperq.speech.writing import SMALL_WORDS, is_other_script, language_of


@pytest.mark.parametrize(
    ("reference", "text", "language"),
    [
        ("добро јутро", "dobro jutro", "sr"),
        ("dobro jutro", "добро јутро", None),
        ("请稍候我们的客服", "請稍候我們的客服", "zh"),
        ("請稍候我們的客服", "请稍候我们的客服", None),
        ("東京都", "とうきょうと", "zh"),  # kana is no Chinese
        ("नमस्ते दुनिया", "namaste duniya", "hi"),
        ("서울 날씨", "seoul nalssi", "ko"),
    ],
)
def test_another_script_is_one(reference: str, text: str, language: str | None) -> None:
    assert is_other_script(reference, text, language)


@pytest.mark.parametrize(
    ("reference", "text", "language"),
    [
        ("グーグルで検索", "Googleで検索", "ja"),
        ("東京都", "とうきょうと", "ja"),
        ("ﾃﾚﾋﾞ", "テレビ", "ja"),
        ("我用 google 搜索", "我用谷歌搜索", "zh"),
        ("国会図書館", "國會図書館", "ja"),
        ("一起去吃", "一起去喝", "zh"),
        ("好的 ok", "ok", "zh"),
        ("добро јутро 12", "12", "sr"),
        ("12", "dobro jutro", "sr"),  # digits have no script
        ("добро јутро", "добро jutro", "sr"),  # half
        ("", "", None),
    ],
)
def test_a_borrowed_word_is_no_other_script(reference: str, text: str, language: str | None) -> None:
    assert not is_other_script(reference, text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("thank you for watching see you next time", "en"),
        ("Ich habe das nicht gewusst, und sie auch nicht!", "de"),
        ("ich weiss nicht fur wen das ist", "de"),  # without accents, as a normalizer leaves it
        ("je ne sais pas ce que vous avez dit", "fr"),
        ("no lo sé pero está en la casa de los padres", "es"),
        ("я не знаю что это такое но они были здесь", "ru"),
        ("det er ikke den", None),  # Danish or Norwegian
        ("fünf sieben neun hundert", None),
        ("alpha bravo charlie", None),
        ("a y o e i", None),  # letters that are spelled
        ("the", None),
        ("meet us near avenida de la constitucion number nine after lunch tomorrow morning please", None),  # a name
        ("", None),
    ],
)
def test_small_words_tell_a_language_or_nothing(text: str, language: str | None) -> None:
    assert language_of(text) == language


def test_no_letter_that_is_spelled_is_a_small_word() -> None:
    assert all(len(word) > 1 for words in SMALL_WORDS.values() for word in words)
