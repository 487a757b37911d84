"""What differs in typing only is one, and nothing that is said is lost."""

import pytest

from pytest_whisperq.speech.typography import unify


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it’s ‘so’ and itʼs so", "it's 'so' and it's so"),
        ("wi–fi wi‑fi 3−2", "wi-fi wi-fi 3-2"),
        ("“so” „so“ «so»", '"so" "so" "so"'),
        ("so\u00adme\u200bthi\u200dng\ufeff \u202aelse\u202c", "something else"),
        ("Ｍｒ．　Ｘ（１２）", "Mr. X(12)"),
        ("O'Brien o'clock O'B I'O'", "OBrien oclock O'B I'O'"),
        ("l'O'Connor d'où", "l'OConnor d'où"),
    ],
)
def test_one_spelling(text: str, expected: str) -> None:
    assert unify(text) == expected


@pytest.mark.parametrize(
    "tag",
    ["<noise>", "<unk>", "<|en|>", "</b>", "<br/>", '<font color="red">', "<background noise>", "<spk:1>", "<b >"],
)
def test_a_tag_goes_and_what_is_around_it_stays(tag: str) -> None:
    assert unify(f"one {tag} two") == "one two"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b and c > d", "a b and c d"),
        ("if a<b and c>d", "if a b and c d"),
        ("x <5 or y> 6", "x 5 or y 6"),
        ("i <3 you> me", "i 3 you me"),
        ("a > b < c", "a b c"),
        ("a<b>c", "a c"),
        ("<<<", ""),
    ],
)
def test_nothing_between_signs_is_lost_unless_it_is_a_tag(text: str, expected: str) -> None:
    assert unify(text) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("ar", "مَرْحَبًا مرحـــبا", "مرحبا مرحبا"),
        ("ar", "٣٫٥ ١٬٠٠٠", "3.5 1,000"),
        ("he", "שָׁלוֹם בֵּית־סֵפֶר", "שלום בית־ספר"),
        ("fa", "می\u200cخواهم", "می خواهم"),
        ("hi", "क्\u200cष २१", "क्ष 21"),
        ("th", "๑๒", "12"),
        ("tr", "ISPARTA İzmir", "ısparta izmir"),
        ("en", "ISPARTA İzmir", "isparta izmir"),
    ],
)
def test_scripts(language: str, text: str, expected: str) -> None:
    assert unify(text, language).lower() == expected


@pytest.mark.parametrize("text", ["Ẹ́ kú àárọ̀!", "ลองฟัง", "हिन्दी", "Größe", "今日は", "don't [noise] (cough) 5 %"])
def test_other_marks_and_signs_stay(text: str) -> None:
    import unicodedata

    assert unify(text) == unicodedata.normalize("NFC", text)
