"""Numbers in a text, digit by digit, however they are written: as words, in digits, or run together by a normalizer."""

import re
import unicodedata

READ = frozenset({"de", "en", "es", "fr", "it", "nl", "pt"})
"""The languages whose number words are read, by Whisper's code: those of text2num 3.0. Of others, digits alone are."""

SMALL = 13
"""Numbers below this one are words in most people's writing, whatever they do with others."""

_NUMERAL = re.compile(r"(?<![\w.,:/-])\d{2,9}(?![\w:/-]|[.,]\d)")
_PARTS = re.compile(r"0{2,3}|\d|[^\W\d_]+")


def digits_apart(text: str, language: str | None = None) -> list[str]:
    """Return the words of ``text`` with number words read and the digits of every number apart.

    Two or three zeros stay one unit: "hundred" and "thousand" are one word, and "million" is two of them. A unit then
    weighs about as much as a spoken word, whether a normalizer runs the digits of a telephone number together or not.

    >>> digits_apart("call 5551212 now"), digits_apart("fünf fünf eins", "de")
    (['call', '5', '5', '5', '1', '2', '1', '2', 'now'], ['5', '5', '1'])
    """
    if language in READ:
        from text_to_num import alpha2digit

        text = alpha2digit(text, language)
    units: list[str] = []
    for word in text.split():
        if any(char.isdecimal() for char in word):
            units += _PARTS.findall("".join(map(plain_digit, word)))
        else:
            units.append(word)
    return units


def written_numbers(text: str, language: str | None) -> set[tuple[str, bool]]:
    """Return the whole numbers from `SMALL` on in a text, as digits, each with whether it is written in words.

    Empty for a language whose number words are not read.

    >>> sorted(written_numbers("zwanzig von 100", "de"))
    [('100', False), ('20', True)]
    """
    if language not in READ:
        return set()
    from text_to_num import alpha2digit

    in_digits, both = (set(_NUMERAL.findall(one)) for one in (text, alpha2digit(text, language)))
    found = {(number, False) for number in in_digits} | {(number, True) for number in both - in_digits}
    return {(number, is_word) for number, is_word in found if int(number) >= SMALL}


def plain_digit(char: str) -> str:
    """Return a digit of any script, or a Chinese numeral below ten, as an ASCII digit; anything else as it is."""
    if not char.isnumeric() or not (char.isdecimal() or char.isalpha()):
        return char
    value = unicodedata.numeric(char)
    return str(int(value)) if value in range(10) else char
