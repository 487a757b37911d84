"""What the keywords of a gate may be: checks of values, each of which returns what the value must be, or "" if it is.

Loaded by every pytest run that has the plugin installed, so it imports nothing heavy.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from pytest_whisperq.config.choices import METRICS
from pytest_whisperq.config.limits import LIMITS
from pytest_whisperq.config.values import Range

ValueCheck = Callable[[Any], str]


class Keyword(NamedTuple):
    """One keyword of a gate: what it may be, and what it is where a test does not say.

    ``option`` is the field of `GateConfig` that has the default, such as ``"max_drop"``; ``default`` counts where no
    option does, or where nobody has given it.
    """

    check: ValueCheck
    option: str = ""
    default: Any = None


def between(low: float, high: float, *, never: float | None = None) -> ValueCheck:
    """Check for a number from ``low`` to ``high`` but not ``never``, a limit that no bound can clear.

    >>> rate = between(0, 1, never=0)
    >>> rate(0.5)
    ''
    >>> rate(0)
    'a number from 0 to 1, but not 0, which no bound can clear'
    """
    but = "" if never is None else f", but not {never:g}, which no bound can clear"
    return Range(low, high, f"a number from {low:g} to {high:g}{but}", never=never).problem


_RANGES = {option.field: option.parse for option in LIMITS if isinstance(option.parse, Range)}


def limit(option: str, default: Any = None) -> Keyword:
    """Return the keyword of a limit that is an option too: a test may say what may be typed, and no more.

    >>> limit("max_size_ratio").check(50)
    "a ratio above 0, up to 10: 0.5 is half the baseline's size"
    """
    return Keyword(_RANGES[option].problem, option=option, default=default)


def whole(low: int, high: int) -> ValueCheck:
    """Check for a whole number from ``low`` to ``high``.

    >>> whole(2, 100)(1.5)
    'a whole number from 2 to 100'
    """

    def check(value: Any) -> str:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return "" if good else f"a whole number from {low} to {high}"

    return check


def one_of(*names: str | None) -> ValueCheck:
    """Check for one of a few values.

    >>> one_of("wer", "cer")("per")
    "one of 'wer', 'cer'"
    """
    return lambda value: "" if value in names else f"one of {', '.join(map(repr, names))}"


def pair(value: Any) -> str:
    """Check for a backend and a precision.

    >>> pair("transformers:float32")
    ''
    """
    good = isinstance(value, str) and all(value.partition(":"))
    return "" if good else "a pair such as 'transformers:float32'"


METRIC = one_of(*METRICS)
