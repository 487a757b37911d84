"""Which texts are written without spaces between words: they have characters to count, but no words."""

import unicodedata

UNSPACED = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})
"""Whisper's languages without spaces between words, by code.

Chinese, Japanese, Thai, Lao and Burmese are those that Radford et al. 2022 (appendix C) score by characters; to them
openai/whisper's tokenizer adds Cantonese. Unicode (UAX #14, class SA) puts Khmer beside Thai, Lao and Burmese; Tibetan
parts syllables, not words.
"""

_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "KHMER", "LAO", "MYANMAR", "THAI", "TIBETAN")
_ZERO_WIDTH_SPACE = "\u200b"  # between words of Khmer, Thai and Burmese, and white space neither to Python nor to jiwer


def is_spaced(language: str | None, text: str) -> bool:
    """Whether ``text`` puts spaces between words; where no language is stated, most of its letters tell by script."""
    if language is not None:
        return language not in UNSPACED
    letters = [char for char in unicodedata.normalize("NFKC", text) if char.isalpha()]
    unspaced = sum(unicodedata.name(char, "").startswith(_SCRIPTS) for char in letters)
    return 2 * unspaced <= len(letters)


def without_spaces(text: str) -> str:
    """Return ``text`` without white space; where spaces part no words, they are a matter of typing."""
    return "".join(text.split()).replace(_ZERO_WIDTH_SPACE, "")
