"""Numbers, amounts and dates of a text that is normalized by language: entities that have to be right as a whole."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from pytest_whisperq.speech.number_styles import MONTHS
from pytest_whisperq.speech.numbers import READ, plain_digit

KINDS = ("digits", "amounts", "dates")
"""``digits`` are all numbers, such as codes and telephone numbers, but those of amounts and dates."""

ENGLISH_ONLY = frozenset({"amounts", "dates"})
"""In other languages the normalizer keeps no signs, and dates are not read."""

_YEAR = r"(?: (?P<year>\d{4})\b)?"
_FINDERS = {
    "dates": (
        re.compile(rf"\b(?P<month>{MONTHS}) (?P<day>\d{{1,2}}|one)\b{_YEAR}"),
        re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)? of (?P<month>{MONTHS})\b{_YEAR}"),
    ),
    "amounts": (re.compile(r"[£$€¢]\d+(?:\.\d+)?|\d+(?:\.\d+)?%"),),
}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)(?P<suffix>st|nd|rd|th|s)?")
_ELSEWHERE = " | "  # parts the numbers before what is taken out from those behind it


def find_entities(text: str, language: str | None, kinds: Collection[str] = KINDS) -> Counter[str]:
    """Return the entities of some ``kinds`` in a text that ``by-language`` has normalized, each with how often.

    Number words are read in the languages of `numbers.READ`. Numbers side by side are one, for a telephone number may
    be written in groups.

    >>> sorted(find_entities("call 555 1212 on the 3rd of june 2021 about $12.50", "en"))
    ['$12.50', '5551212', 'june 3 2021']
    """
    found: Counter[str] = Counter()
    if language == "en":
        for kind, patterns in _FINDERS.items():
            for pattern in patterns:
                if kind in kinds:
                    found.update(map(_as_one, pattern.finditer(text)))
                text = pattern.sub(_ELSEWHERE, text)
    elif language in READ:
        from text_to_num import alpha2digit

        text = alpha2digit(text, language)
    if "digits" in kinds:
        found.update(_numbers(text.split()))
    return found


def _as_one(match: re.Match[str]) -> str:
    parts = match.groupdict()
    if not parts:
        return match[0]
    day = "1" if parts["day"] == "one" else parts["day"]
    return " ".join(filter(None, (parts["month"], day, parts["year"])))


def _numbers(words: Sequence[str]) -> Iterator[str]:
    """Yield the numbers, those side by side as one. A single 1 is a word, as Whisper's normalizer writes it."""
    run: list[str] = []
    for word in (*words, ""):
        match = _NUMBER.fullmatch("".join(map(plain_digit, word)))
        cardinal = "one" if word == "one" else match[1] if match and not match["suffix"] else ""
        if cardinal:
            run.append(cardinal)
            continue
        if run and run != ["one"]:
            yield "".join(part.replace("one", "1") for part in run)
        if match:  # an ordinal goes with no other
            yield match[1]
        run = []
