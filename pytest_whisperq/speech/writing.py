"""In which script and in which language a text is written, as the text itself tells.

A model that is told a language may still write another one, and one that hears the right language may write it in
another script. The transcript alone tells, without a model: the same text always gets the same answer.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from pytest_whisperq.speech.corpus.spacing import words_and_characters

_CHINESE = frozenset({"zh", "yue"})
_KANA = frozenset({"HIRAGANA", "KATAKANA"})
_WORD = re.compile(r"[^\W\d_]{2,}")

SCRIPTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        language: tuple(scripts.split())
        for scripts, languages in {
            "LATIN": "af br ca cs cy da de en es et eu fi fo fr gl haw hr ht hu id is it jw la lb ln lt lv mg mi mt nl "
            "nn no oc pl pt sk sl sn so sq su sv sw tl tr vi yo",
            "CYRILLIC": "ba be bg mk ru tg uk",
            "ARABIC": "ar fa ps ur",
            "HEBREW": "he yi",
            "DEVANAGARI": "hi mr ne sa",
            "BENGALI": "as bn",
            "GUJARATI": "gu",
            "GURMUKHI ARABIC": "pa",
            "KANNADA": "kn",
            "MALAYALAM": "ml",
            "TAMIL": "ta",
            "TELUGU": "te",
            "SINHALA": "si",
            "THAI": "th",
            "LAO": "lo",
            "KHMER": "km",
            "MYANMAR": "my",
            "TIBETAN": "bo",
            "ETHIOPIC": "am",
            "ARMENIAN": "hy",
            "GEORGIAN": "ka",
            "GREEK": "el",
            "HANGUL CJK": "ko",
            "HIRAGANA KATAKANA CJK": "ja",
            "CJK": "yue zh",
        }.items()
        for language in languages.split()
    }
)
"""Each of Whisper's languages, by code → the scripts that it is written in, as Unicode's names of letters begin.

Languages with several, such as Serbian, Kazakh or Malay, are not here: of these a script tells nothing.
"""

_LETTERS = re.compile(r"[^\W\d_]+")
_ALIKE = frozenset(
    "aceopxyijsABCEHIJKMOPSTXYZN"  # Latin
    "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0458\u0455"  # Cyrillic
    "\u0410\u0412\u0421\u0415\u041d\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u0425\u0423"
    "\u03bf\u03bd\u0391\u0392\u0395\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a7\u03a5\u0396"  # Greek
)
_SEVERAL = 3
"""Different small words of one language, and none of the stated one, that tell a wrong one."""

SMALL_WORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        language: frozenset(words.split())
        for language, words in {
            "da": "og det er jeg ikke en til af at du vi han hun den som har med for på de der var hvad",
            "de": "der die das und ist nicht ich sie wir ein eine zu mit auf den dem von es auch wie für sich war",
            "en": "the and you that it is was for are with his they this have from what were when your which of to",
            "es": "el la los las que de es no un una por con para del está lo como pero su al más se",
            "fi": "ja on ei se hän että minä sinä mutta niin kun oli olen tämä ovat mitä nyt hyvin kuin myös",
            "fr": "le la les et est pas que je vous un une des du pour dans qui ce nous sur avec il elle au mais",
            "it": "il che di non un una per sono mi ho ma con della del gli le si ti lo questo come anche",
            "nl": "de het een en van ik is niet dat je op te zijn met voor maar hij aan ook als wat deze naar",
            "no": "og det er jeg ikke en til av at du vi han hun den som har med for på de der var hva",
            "pl": "nie to się na że jest do tak jak co ale za czy po ja mnie od dla jego był już",
            "pt": "os as que de não um uma por com para do da no na você em mas ao se mais eu",
            "ru": "не на что он как это по но они мы вы за то все она так его был",
            "sv": "och det är jag inte en ett till av att du vi han hon den som har med för på de var vad",
            "tr": "ve bir bu ne da için çok ben mi ama de sen var daha değil gibi kadar şey evet",
            "uk": "не на що він як це та але вони ми ви за то все вона так його був",
        }.items()
    }
)
"""Frequent articles, pronouns, prepositions, conjunctions and auxiliaries of some languages, by Whisper's code."""


def is_other_script(reference: str, text: str, language: str | None = None) -> bool:
    """Whether most of ``text`` is in scripts of which ``reference`` has nothing, or in the other kind of Chinese.

    Words count where spaces part them, characters where none do.

    >>> is_other_script("Добро јутро", "Dobro jutro")
    True
    >>> is_other_script("グーグルで検索", "Googleで検索")
    False
    """
    known, written = set(_scripts(reference, language)), _scripts(text, language)
    if known and 2 * sum(script not in known for script in written) > len(written):
        return True
    if language is not None and language not in _CHINESE:
        return False
    kinds = {_han(reference), _han(text)}
    return len(kinds) == 2 and None not in kinds


def _scripts(text: str, language: str | None) -> list[str]:
    """Return the script of each word or character with a letter; Han and kana are one, but for Chinese."""
    scripts = []
    for unit in words_and_characters(unicodedata.normalize("NFKC", text)):
        letter = next(filter(str.isalpha, unit), None)
        if letter is not None:
            script = _script(letter)
            is_japanese = script in _KANA and language not in _CHINESE
            scripts.append("CJK" if is_japanese else script)
    return scripts


def _script(letter: str) -> str:
    """Return the first word of a letter's Unicode name, which is that of its script."""
    return unicodedata.name(letter, "UNKNOWN").split()[0].partition("-")[0]


def scripts_of(text: str) -> Counter[str]:
    """Return how many letters of each script a text has; what several scripts share, such as a mark, is left out.

    >>> scripts_of("Google \u691c\u7d22")
    Counter({'LATIN': 6, 'CJK': 2})
    """
    letters = filter(str.isalpha, unicodedata.normalize("NFKC", text))
    return Counter(script for script in map(_script, letters) if script in _KNOWN)


_KNOWN = frozenset(script for scripts in SCRIPTS.values() for script in scripts)


def lookalike(text: str) -> tuple[str, str] | None:
    """Return the first word with letters of another script that look like its own, and these letters; None for none.

    An ending is none, as in Russian's iPhone with a Cyrillic ending, and neither are letters that no font confuses.
    """
    for word in _LETTERS.findall(text):
        if word.isascii():
            continue
        by_script: dict[str, list[int]] = {}
        for place, char in enumerate(word):
            by_script.setdefault(_script(char), []).append(place)
        if len(by_script) != 2 or not {"LATIN", "CYRILLIC", "GREEK"}.issuperset(by_script):
            continue
        many, few = sorted(by_script.values(), key=len, reverse=True)
        if few[0] < many[-1] and all(word[place] in _ALIKE for place in few):
            return word, ", ".join(f"U+{ord(word[place]):04X} {unicodedata.name(word[place])}" for place in few)
    return None


def _han(text: str) -> str | None:
    """Return which kind of Chinese characters a text has more of; None for as many, or for Japanese.

    Simplified ones are in GB 2312 and not in Big5, traditional ones in Big5 and not in GB 2312.
    """
    if any(_script(char) in _KANA for char in text):
        return None
    counts = Counter((_is_in("gb2312", char), _is_in("big5", char)) for char in text)
    simplified, traditional = counts[True, False], counts[False, True]
    if simplified == traditional:
        return None
    return "simplified" if simplified > traditional else "traditional"


@lru_cache(maxsize=2**16)
def _is_in(encoding: str, char: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def language_of(text: str) -> str | None:
    """Return the language whose small words ``text`` has clearly most of; None where that does not tell.

    It has two different ones or more, and twice as many as of any other language: of close relatives, such as
    Norwegian and Danish, most texts tell neither. One word in six is one of them, as in few texts with a foreign name.
    Small words are the oldest way to tell languages (Grefenstette, Comparing two language identification schemes, JADT
    1995). A text of numbers or names has none and tells nothing.

    >>> language_of("thank you for watching see you next time")
    'en'
    """
    words = [_without_marks(word) for word in _WORD.findall(text)]
    counts = Counter({language: len(small.intersection(words)) for language, small in _plain_small_words().items()})
    (language, most), (_, second) = counts.most_common(2)
    small = _plain_small_words()[language]
    is_clear = most >= 2 and most >= 2 * second and 6 * sum(word in small for word in words) >= len(words)
    return language if is_clear else None


def other_language(text: str, stated: str | None) -> str | None:
    """Return the language that a text is clearly in, where it is not the ``stated`` one; None where that may be.

    Clearly: `language_of` names it, by three different small words or more, and the stated language has none of its own
    there. Of a language without known small words nothing is told.

    >>> other_language("thank you for watching, see you with this the next time", "de")
    'en'
    """
    if stated not in SMALL_WORDS or (found := language_of(text)) in (None, stated):
        return None
    words = {_without_marks(word) for word in _WORD.findall(text)}
    small = _plain_small_words()
    is_clear = len(words & small[found or ""]) >= _SEVERAL and not words & small[stated or ""] - small[found or ""]
    return found if is_clear else None


@lru_cache(maxsize=1)
def _plain_small_words() -> dict[str, set[str]]:
    return {language: {_without_marks(word) for word in words} for language, words in SMALL_WORDS.items()}


def _without_marks(word: str) -> str:
    """Return a word in lower case without accents, which some normalizers take off."""
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))
