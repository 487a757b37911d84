"""One spelling for what differs in typing only: apostrophes, invisible characters, widths, digits, marks of reading.

Whisper's normalizers do not know these: of "won’t" with a typographic apostrophe they make two words, and a soft
hyphen, a vowel sign of Arabic or a full-width bracket is an error or cuts a word in two.
"""

import re
import unicodedata
from functools import lru_cache

_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u02bc\u00b4\uff07", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        "\u066b": ".",  # Arabic decimal separator
        "\u066c": ",",  # and that of thousands
        "\u0130": "i",  # the dotted capital of Turkish: lower() makes an i and a combining dot of it
        # Nobody says them: soft hyphen, zero-width space, joiners, byte-order mark, marks of direction, tatweel.
        **dict.fromkeys("\u00ad\u200b\u200d\u2060\ufeff\u200e\u200f\u061c\u0640", ""),
        **dict.fromkeys(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))), ""),
    }
)
_DOTLESS = frozenset({"tr", "az"})
_WIDE = re.compile(r"[\u3000\uff00-\uffef]+")
_VOWELS = re.compile(
    "[\u064b-\u0652\u0670"  # harakat
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]"  # accents and niqqud; the Hebrew hyphen is between them
)
_NON_JOINER = re.compile("(?<=[\u0600-\u06ff])\u200c(?=[\u0600-\u06ff])")
_TAG = re.compile(
    r"<\|[^<>|]*\|>|"  # <|en|>
    r"</?[^\W\d_][^\s<>]*\s*/?>|"  # <noise>, </b>, <br/>
    r"</?[^\W\d_][^<>]*=[^<>]*>|"  # <font color="red">
    r"(?<!\w)<[^\W\d_][^<>]*[^\s<>]>(?!\w)"  # <background noise>
)
_IRISH = re.compile(r"\b([oO])'(?=[^\W\d_]{2})")


@lru_cache(maxsize=8192)  # a reference is compared with every candidate, under several normalizers
def unify(text: str, language: str | None = None) -> str:
    """Return ``text`` in plain spelling; words, case and punctuation of a sentence stay.

    A tag is taken out here. Of what else stands between < and >, as in "a < b and c > d", nothing is lost. An O' and
    the name after it are one word: Whisper's English normalizer would read the O as a zero.

    >>> unify("Don\u2019t re\u00adsign, O\u2019Brien <noise> \u0663\u0664")
    "Don't resign, OBrien 34"
    """
    text = unicodedata.normalize("NFC", text)
    if not text.isascii():
        text = _WIDE.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
        if language in _DOTLESS:
            text = text.replace("I", "\u0131")
        text = _NON_JOINER.sub(" ", text).replace("\u200c", "")  # it parts what Persian writes with a space, too
        text = _VOWELS.sub("", text.translate(_PLAIN))
        text = "".join(map(_plain_digit, text))
    elif language in _DOTLESS:
        text = text.replace("I", "\u0131")
    text = _TAG.sub(" ", text).replace("<", " ").replace(">", " ")
    return " ".join(_IRISH.sub(r"\1", text).split())


def _plain_digit(char: str) -> str:
    return char if char.isascii() or not char.isdecimal() else str(unicodedata.decimal(char))
