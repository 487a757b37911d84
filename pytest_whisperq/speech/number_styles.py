"""Numbers that English writes in several ways, and that Whisper's English normalizer does not make one.

Number words, amounts and percentages are that normalizer's own work. What is added to it is here.
"""

import re

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_CLOCK = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)\b(?!:)")
_TELEPHONE = re.compile(r"(?<![\d-])(?:(\d{3})-)?(\d{3})-(\d{4})(?![\d-])")
_PERCENT = re.compile(r"(?<=\d)\s+(?=%)")
_LEADING_ZERO = re.compile(r"(?<![\d.,:-])0\d+(?![\d.,:-]*\d)")
_DAY = re.compile(rf"\b({MONTHS}) (\d+)(?:st|nd|rd|th)\b")


def as_spoken(text: str) -> str:
    """Return English ``text``, before it is normalized, with numbers in a form that the normalizer reads as spoken.

    Times lose their colon: of "three thirty" the normalizer makes 330. A leading zero is spelled out, or it is lost.

    >>> as_spoken("at 3:30 pm call 555-1212 for 007")
    'at 330 pm call 5551212 for zero zero seven'
    """
    text = _CLOCK.sub(_clock, text)
    text = _TELEPHONE.sub(lambda match: "".join(filter(None, match.groups())), text)
    text = _PERCENT.sub("", text)
    return _LEADING_ZERO.sub(lambda match: " ".join(_DIGITS[int(digit)] for digit in match[0]), text)


def days(text: str) -> str:
    """Return normalized English ``text`` with the days of months as plain numbers.

    >>> days("june 3rd and may 1st")
    'june 3 and may one'
    """
    return _DAY.sub(lambda match: f"{match[1]} {'one' if match[2] == '1' else match[2]}", text)


def _clock(match: re.Match[str]) -> str:
    hour, minute = match.groups()
    return str(int(hour)) + ("" if minute == "00" else minute)
