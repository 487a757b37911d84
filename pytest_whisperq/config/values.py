"""What an option is, and what users may type for it: parsers that raise ValueError completing "must be …".

Loaded by every pytest run that has the plugin installed, so it imports nothing but the standard library.
"""

from collections.abc import Callable
from typing import Any, NamedTuple


class Option(NamedTuple):  # a third of the time that making a dataclass takes, in every pytest run
    """One option. ``parse`` turns what a user typed into a value, or raises ValueError that completes "must be …"."""

    name: str
    metavar: str
    parse: Callable[[str], Any]
    help: str
    default: str | None = None
    is_path: bool = False
    is_path_after_at: bool = False
    """Only what follows an @ is a path, as in ``BACKEND@MODEL``."""
    has_splits: bool = False
    """Names a corpus, of which @SPLIT may name a part."""
    is_switch: bool = False
    """Typed without a value on the command line, as true or false in an ini file."""
    creates: bool = False
    """Names a file or folder that a run makes, and that need not be there."""

    @property
    def flag(self) -> str:
        """The command-line flag, ``--whisperq-max-drop``."""
        return f"--whisperq-{self.name}"

    @property
    def ini(self) -> str:
        """The ini key, ``whisperq_max_drop``; also argparse's destination."""
        return f"whisperq_{self.field}"

    @property
    def field(self) -> str:
        """The field of `settings.GateConfig` that holds its value, ``max_drop``."""
        return self.name.replace("-", "_")


class Range:
    """Numbers from ``low`` to ``high`` but not ``never``, a limit that no bound can clear.

    It parses what is typed, and checks what a marker is given: both allow the same. ``what`` completes "must be …".

    >>> rate = Range(0, 1, "a rate from 0 up to, not including, 1", never=1)
    >>> rate("0.25")
    0.25
    >>> rate("1")
    Traceback (most recent call last):
        ...
    ValueError: a rate from 0 up to, not including, 1
    """

    def __init__(self, low: float, high: float, what: str, *, never: float | None = None) -> None:
        self.low = low
        self.high = high
        self.what = what
        self.never = never

    def __call__(self, text: str) -> float:
        """Return the number that was typed, or raise ValueError that completes "must be …"."""
        try:
            value = float(text)
        except ValueError:
            raise ValueError(self.what) from None
        if problem := self.problem(value):
            raise ValueError(problem)
        return value

    def problem(self, value: Any) -> str:
        """Return what a value must be, or "" if it is; NaN is not, neither is a truth value nor a text.

        >>> Range(0, 10, "a ratio above 0, up to 10", never=0).problem(50)
        'a ratio above 0, up to 10'
        """
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if is_number and self.low <= value <= self.high and value != self.never else self.what


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


def shard(text: str) -> tuple[int, int]:
    """Parse which shard of how many.

    >>> shard("3/8")
    (3, 8)
    """
    problem = "K/N, shard K of N, such as 3/8"
    number, _, count = text.partition("/")
    if not all(part.strip().isascii() and part.strip().isdigit() for part in (number, count)):
        raise ValueError(problem)
    if not 1 <= int(number) <= int(count):
        raise ValueError(f"{problem}: K from 1 to N")
    return int(number), int(count)


def engine(text: str) -> str:
    """Parse who decodes.

    >>> engine("ray://10.0.0.7:10001")
    'ray://10.0.0.7:10001'
    """
    scheme, is_address, address = text.strip().partition("://")
    host, _, port = address.rpartition(":")
    is_named = address == "auto" or (
        bool(host) and not set(host) & set("/@?# ") and port.isascii() and port.isdigit() and 0 < int(port) < 65536
    )
    if text.strip() in ("process", "ray") or (scheme == "ray" and is_address and is_named):
        return text.strip()
    raise ValueError("process, ray, ray://auto or ray://HOST:PORT, such as ray://10.0.0.7:10001")


def names(text: str) -> tuple[str, ...]:
    """Parse names separated by commas, each once.

    >>> names("openvino, ctranslate2, openvino")
    ('openvino', 'ctranslate2')
    """
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
    alpha = Range(0, 1, problem)
    parts = text.split(",")
    if len(parts) != 2:
        raise ValueError(problem)
    return alpha(parts[0]), alpha(parts[1])


def blocks(text: str) -> tuple[str, ...]:
    """Parse names of blocks separated by commas, each once.

    >>> blocks("encoder.layers.3, decoder.output")
    ('encoder.layers.3', 'decoder.output')
    """
    problem = "blocks separated by commas, such as encoder.layers.3, encoder.input or decoder.output"
    parts = dict.fromkeys(part.strip() for part in text.split(",") if part.strip())
    for part in parts:
        side, _, block = part.partition(".")
        kind, _, number = block.partition(".")
        is_numbered = kind == "layers" and number.isascii() and number.isdigit()
        if side not in ("encoder", "decoder") or not (is_numbered or block in ("input", "output")):
            raise ValueError(problem)
    if not parts:
        raise ValueError(problem)
    return tuple(parts)


def switch(text: str) -> bool:
    """Parse true or false, in any of the usual spellings."""
    states = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if text.strip().lower() not in states:
        raise ValueError("true or false")
    return states[text.strip().lower()]
