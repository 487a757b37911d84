"""What users may type for an option: functions from text to a value that raise ValueError completing "must be …"."""

from collections.abc import Callable


def number(low: float, high: float, what: str, *, never: float | None = None) -> Callable[[str], float]:
    """Return a parser of numbers from ``low`` to ``high`` but not ``never``, a limit that no bound can clear."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(what) from None
        if not low <= value <= high or value == never:  # NaN is not
            raise ValueError(what)
        return value

    return parse


def whole(low: int, what: str) -> Callable[[str], int]:
    """Return a parser of whole numbers from ``low`` on."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(what) from None
        if value < low:
            raise ValueError(what)
        return value

    return parse


def names(text: str) -> tuple[str, ...]:
    """Parse names separated by commas, each once."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise ValueError("one or more names separated by commas")
    return names


def text(text: str) -> str:
    """Parse any text but an empty one."""
    if not text.strip():
        raise ValueError("not empty")
    return text.strip()


def one_of(*names: str) -> Callable[[str], str]:
    """Return a parser of one of a few words."""

    def parse(text: str) -> str:
        if text.strip() not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return text.strip()

    return parse


def two_alphas(text: str) -> tuple[float, float]:
    """Parse two SmoothQuant strengths."""
    problem = "two numbers from 0 to 1, such as 0.50,0.95"
    alpha = number(0, 1, problem)
    parts = text.split(",")
    if len(parts) != 2:
        raise ValueError(problem)
    return alpha(parts[0]), alpha(parts[1])


def switch(text: str) -> bool:
    """Parse true or false, in any of the usual spellings."""
    states = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if text.strip().lower() not in states:
        raise ValueError("true or false")
    return states[text.strip().lower()]
