"""Languages without spaces between words: by code, or by script where no language is stated."""

import pytest

from pytest_whisperq.speech.corpus.spacing import UNSPACED, is_spaced, without_spaces, words_and_characters


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "hold the line", True),
        ("ko", "전화를 끊지 마세요", True),
        ("hi", "हिन्दी", True),
        ("zh", "please", False),  # what is stated counts
        ("en", "请稍候", True),
        (None, "hold the line", True),
        (None, "전화를 끊지 마세요", True),
        (None, "请稍候", False),
        (None, "少々お待ちください", False),
        (None, "ﾃﾚﾋﾞ", False),  # half-width
        (None, "โปรดรอสักครู่", False),
        (None, "ກະລຸນາລໍຖ້າ", False),
        (None, "ခဏစောင့်ပါ", False),
        (None, "សូមរង់ចាំ", False),
        (None, "སྒུག་རོགས།", False),
        (None, "the song 請", True),
        (None, "10", True),
        (None, "", True),
    ],
)
def test_words_are_parted_or_not(language: str | None, text: str, expected: bool) -> None:
    assert is_spaced(language, text) is expected


def test_every_language_of_the_list_is_one() -> None:
    assert not any(is_spaced(language, "") for language in UNSPACED)


def test_every_kind_of_space_goes() -> None:
    assert without_spaces(" 你\u3000好\u200b吗 \n") == "你好吗"


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("hold the line", ["hold", "the", "line"]),
        ("我用Google搜索", ["我", "用", "Google", "搜", "索"]),
        ("我 用 Google 搜索", ["我", "用", "Google", "搜", "索"]),
        ("テレビ 10", ["テ", "レ", "ビ", "10"]),
        ("人々", ["人", "々"]),
        ("ﾃﾚ", ["ﾃ", "ﾚ"]),
        ("전화를 끊지", ["전화를", "끊지"]),
        ("ดี\u200bok", ["ด", "ี", "ok"]),
        ("", []),
    ],
)
def test_words_and_characters_are_told_by_script(text: str, units: list[str]) -> None:
    assert words_and_characters(text) == units
