"""Which texts are written without spaces between words: they have characters to count, but no words."""

import itertools
import unicodedata
from functools import cache

UNSPACED = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})
"""Whisper's languages without spaces between words, by code.

Chinese, Japanese, Thai, Lao and Burmese are those that Radford et al. 2022 (appendix C) score by characters; to them
openai/whisper's tokenizer adds Cantonese. Unicode (UAX #14, class SA) puts Khmer beside Thai, Lao and Burmese; Tibetan
parts syllables, not words.
"""

_SCRIPTS = ("CJK", "HIRAGANA", "IDEOGRAPHIC", "KATAKANA", "KHMER", "LAO", "MYANMAR", "THAI", "TIBETAN")
_ZERO_WIDTH_SPACE = "\u200b"  # between words of Khmer, Thai and Burmese, and white space neither to Python nor to jiwer


def is_spaced(language: str | None, text: str) -> bool:
    """Whether ``text`` puts spaces between words; where no language is stated, most of its letters tell by script."""
    if language is not None:
        return language not in UNSPACED
    letters = [char for char in unicodedata.normalize("NFKC", text) if char.isalpha()]
    return 2 * sum(map(_stands_alone, letters)) <= len(letters)


def without_spaces(text: str) -> str:
    """Return ``text`` without white space; where spaces part no words, they are a matter of typing."""
    return "".join(text.split()).replace(_ZERO_WIDTH_SPACE, "")


def words_and_characters(text: str) -> list[str]:
    """Return the words of ``text`` where spaces part words, and its characters where none do, by script.

    >>> words_and_characters("我用 Google 搜索")
    ['我', '用', 'Google', '搜', '索']
    """
    units: list[str] = []
    for word in text.replace(_ZERO_WIDTH_SPACE, " ").split():
        for stands_alone, chars in itertools.groupby(word, _stands_alone):
            same = "".join(chars)
            units += same if stands_alone else [same]
    return units


@cache
def _stands_alone(char: str) -> bool:
    """Whether a character belongs to a script in which no spaces part words; half-width ones are as the full ones."""
    return unicodedata.name(unicodedata.normalize("NFKC", char)[0], "").startswith(_SCRIPTS)
