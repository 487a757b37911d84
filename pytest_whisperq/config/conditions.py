"""Conditions on what gates measure, such as ``drop<0.3 or (drop<1.0 and speedup>2)``.

::

    condition  = term {"or" term}
    term       = factor {"and" factor}
    factor     = quantity ("<" | ">") number | "(" condition ")"

A quantity is what an option limits, and is called as that option without ``max-`` or ``min-``: ``--whisperq-max-drop``
is the limit of ``drop``. Nothing is run as Python.

Loaded by every pytest run that has the plugin installed, so it imports nothing but the standard library.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from pytest_whisperq.config.limits import LIMITS
from pytest_whisperq.config.values import Range

EXAMPLE = "drop<0.3 or (drop<1.0 and speedup>2)"

DEEPEST = 20
"""Brackets within brackets."""

_SIGNS = {"max-": "<", "min-": ">"}
_TOKEN = re.compile(
    r"(?P<name>[A-Za-z_][\w-]*)|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<sign>[<>=!]=?|≤|≥)|[()]"
)


class Comparison(NamedTuple):
    """What is demanded of one quantity: that it stays below ("<") or above (">") a limit, in the option's unit."""

    quantity: str
    sign: str
    limit: float

    def __str__(self) -> str:
        return f"{self.quantity}{self.sign}{self.limit:.10g}"


class Joined(NamedTuple):
    """Several conditions, all of which have to hold ("and") or one of which has to ("or")."""

    word: Literal["and", "or"]
    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return f" {self.word} ".join(f"({part})" if isinstance(part, Joined) else str(part) for part in self.parts)


Condition: TypeAlias = Comparison | Joined


class Quantity(NamedTuple):
    """What can be limited: on which side it has to stay, and which limits its option allows."""

    sign: str
    allowed: Range


QUANTITIES: Mapping[str, Quantity] = {
    option.name[len(prefix) :]: Quantity(sign, option.parse)
    for option in LIMITS
    for prefix, sign in _SIGNS.items()
    if option.name.startswith(prefix) and isinstance(option.parse, Range)
}


def parse(text: str) -> Condition:
    """Read a condition; "and" binds more strongly than "or".

    Raises ValueError that completes "must be …": with the place of what is wrong in the text, and what may stand there.

    >>> str(parse("(drop < 0.3) or drop<1.0 and speedup>2"))
    'drop<0.3 or (drop<1 and speedup>2)'
    >>> parse("drop<0.3 or")
    Traceback (most recent call last):
        ...
    ValueError: a condition such as 'drop<0.3 or (drop<1.0 and speedup>2)': it ends at column 12, where a quantity or \
'(' has to follow
    """
    return _Reader(text).whole()


def checked(text: str) -> str:
    """Return a condition as it was typed, if it is one; raise ValueError as `parse` does."""
    parse(text)
    return text.strip()


def problem(value: Any) -> str:
    """Return what a value must be to be a condition, or "" if it is one."""
    if not isinstance(value, str):
        return f"a condition in quotes, such as {EXAMPLE!r}"
    try:
        parse(value)
    except ValueError as error:
        return str(error)
    return ""


def join(word: Literal["and", "or"], conditions: Sequence[Condition]) -> Condition:
    """Return conditions as one; those that are joined by the same word lose their brackets.

    >>> str(join("and", [parse("drop<1 and speedup>2"), parse("size-ratio<0.5")]))
    'drop<1 and speedup>2 and size-ratio<0.5'
    """
    parts: list[Condition] = []
    for one in conditions:
        parts += one.parts if isinstance(one, Joined) and one.word == word else [one]
    return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Yield every comparison of a condition, in the order of its text."""
    if isinstance(condition, Comparison):
        yield condition
    else:
        for part in condition.parts:
            yield from comparisons(part)


def chances(condition: Condition) -> int:
    """Return in how many ways a condition may hold by chance.

    It is the sum over what "or" joins. What "and" joins has to hold at once, so that the largest number of ways counts:
    an intersection-union test (Berger, Technometrics 1982).

    >>> [chances(parse(one)) for one in ("drop<1 and speedup>2", "drop<0.3 or (drop<1 and speedup>2)")]
    [1, 2]
    """
    if isinstance(condition, Comparison):
        return 1
    ways = map(chances, condition.parts)
    return max(ways) if condition.word == "and" else sum(ways)


class _Token(NamedTuple):
    text: str
    kind: str
    column: int


class _Reader:
    """Reads one text; ``self._next`` is the token to be read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._next = 0

    def _split(self) -> Iterator[_Token]:
        place = 0
        while place < len(self._text):
            if self._text[place].isspace():
                place += 1
                continue
            found = _TOKEN.match(self._text, place)
            if found is None:
                raise self._error(f"{self._text[place]!r} at column {place + 1} has no meaning")
            yield _Token(found[0], found.lastgroup or "bracket", place + 1)
            place = found.end()
        yield _Token("", "end", len(self._text) + 1)

    def _error(self, what: str) -> ValueError:
        return ValueError(f"a condition such as {EXAMPLE!r}: {what}")

    def _expected(self, what: str, why: str = "") -> ValueError:
        token = self._tokens[self._next]
        if token.kind == "end":
            return self._error(f"it ends at column {token.column}, where {what} has to follow{why}")
        return self._error(f"{token.text!r} at column {token.column} stands where {what} has to{why}")

    def _take(self, text: str = "", kind: str = "") -> _Token | None:
        """Return the next token and go on, if it is that text, or of that kind."""
        token = self._tokens[self._next]
        if (text and token.text != text) or (kind and token.kind != kind):
            return None
        self._next += 1
        return token

    def whole(self) -> Condition:
        """Read all of the text."""
        condition = self._terms(0)
        if not self._take(kind="end"):
            raise self._expected("'and', 'or' or the end")
        return condition

    def _terms(self, depth: int) -> Condition:
        terms = [self._factors(depth)]
        while self._take("or"):
            terms.append(self._factors(depth))
        return join("or", terms)

    def _factors(self, depth: int) -> Condition:
        factors = [self._factor(depth)]
        while self._take("and"):
            factors.append(self._factor(depth))
        return join("and", factors)

    def _factor(self, depth: int) -> Condition:
        if bracket := self._take("("):
            if depth == DEEPEST:
                raise self._error(f"the bracket at column {bracket.column} is within {DEEPEST} others")
            condition = self._terms(depth + 1)
            if not self._take(")"):
                raise self._expected("')'", f": the bracket at column {bracket.column} is open")
            return condition
        return self._comparison()

    def _comparison(self) -> Comparison:
        name = self._tokens[self._next]
        if name.kind != "name" or name.text in ("and", "or"):
            raise self._expected("a quantity or '('")
        if name.text not in QUANTITIES:
            near = difflib.get_close_matches(name.text.lower().replace("_", "-"), QUANTITIES, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise self._error(
                f"{name.text!r} at column {name.column} is no quantity{hint}; there are {', '.join(QUANTITIES)}"
            )
        self._next += 1
        quantity = QUANTITIES[name.text]
        if not self._take(quantity.sign):
            side = "below" if quantity.sign == "<" else "above"
            raise self._expected(repr(quantity.sign), f": {name.text} is kept strictly {side} its limit")
        number = self._take(kind="number")
        if number is None:
            raise self._expected("a number")
        limit = float(number.text)
        if wrong := quantity.allowed.problem(limit):
            raise self._error(f"{number.text} at column {number.column} is no limit of {name.text}, which is {wrong}")
        return Comparison(name.text, quantity.sign, limit)
