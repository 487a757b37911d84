"""Every option once: command-line flag, ini key, default, help and docs are all derived from this table.

Loaded by every pytest run that has the plugin installed, so it imports nothing but the standard library.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pytest_whisperq.errors import ConfigError


class Option(NamedTuple):  # a third of the time that making a dataclass takes, in every pytest run
    """One option. ``parse`` turns what a user typed into a value, or raises ValueError that completes "must be …"."""

    name: str
    metavar: str
    parse: Callable[[str], Any]
    help: str
    default: str | None = None
    is_path: bool = False

    @property
    def flag(self) -> str:
        """The command-line flag, ``--whisperq-max-drop``."""
        return f"--whisperq-{self.name}"

    @property
    def ini(self) -> str:
        """The ini key, ``whisperq_max_drop``; also argparse's destination."""
        return f"whisperq_{self.name.replace('-', '_')}"


def _number(low: float, high: float, what: str, *, never: float | None = None) -> Callable[[str], float]:
    """Parse a number from ``low`` to ``high`` but not ``never``: a limit that no bound can clear is a mistake."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(what) from None
        if not low <= value <= high or value == never:  # NaN is not
            raise ValueError(what)
        return value

    return parse


def _whole(low: int, what: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(what) from None
        if value < low:
            raise ValueError(what)
        return value

    return parse


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise ValueError("one or more names separated by commas")
    return names


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("not empty")
    return text.strip()


OPTIONS: tuple[Option, ...] = (
    Option(
        name="backend",
        metavar="NAME[,NAME]",
        parse=_names,
        help="backends to gate: ctranslate2, openvino, transformers, or all (those that are installed); "
        "without it (or candidate) no gate runs",
    ),
    Option(
        name="precision",
        metavar="ID[,ID]",
        parse=_names,
        help="precisions to gate on each backend, or all (default: int8; float32 for transformers)",
    ),
    Option(
        name="candidate",
        metavar="BACKEND:PRECISION[,…]",
        parse=_names,
        help="explicit pairs to gate, instead of backend and precision",
    ),
    Option(
        name="model",
        metavar="MODEL",
        parse=_text,
        default="whisperq-micro",
        is_path=True,
        help="the Whisper checkpoint to quantize: a directory, a hub id OWNER/NAME[@REVISION], or the embedded model",
    ),
    Option(
        name="baseline",
        metavar="BACKEND[:PRECISION][@MODEL]",
        parse=_text,
        default="transformers:float32",
        help="what candidates are judged against",
    ),
    Option(
        name="corpus",
        metavar="PATH",
        parse=_text,
        default="embedded",
        is_path=True,
        help="recordings with transcripts: an audiofolder, a .csv, .jsonl or .json manifest, parquet, a datasets "
        "directory or a hub id OWNER/NAME[:CONFIG][@SPLIT]",
    ),
    Option(
        name="max-utterances",
        metavar="N",
        parse=_whole(1, "a whole number, 1 or more"),
        help="gate on a seeded, stratified subset of the corpus (default: all of it)",
    ),
    Option(
        name="normalizer",
        metavar="NAME",
        parse=_text,
        help="whisper-basic, whisper-english, identity or wer-standardize (default: whisper-english when every "
        "utterance is English, else whisper-basic)",
    ),
    Option(
        name="max-drop",
        metavar="POINTS",
        parse=_number(-100, 100, "a number of percentage points, such as 1.0"),
        default="1.0",
        help="accuracy: largest tolerated drop of word accuracy, in percentage points",
    ),
    Option(
        name="min-exact-match",
        metavar="RATE",
        parse=_number(0, 1, "a rate from 0 up to, not including, 1", never=1),
        default="0.80",
        help="parity: smallest tolerated share of utterances with the baseline's very text",
    ),
    Option(
        name="max-divergence",
        metavar="RATE",
        parse=_number(0, 1, "a rate above 0, up to 1", never=0),
        default="0.05",
        help="parity: largest tolerated word error rate against the baseline's text",
    ),
    Option(
        name="confidence",
        metavar="LEVEL",
        parse=_number(0.5, 1, "a level from 0.5 up to, not including, 1, such as 0.95", never=1),
        default="0.95",
        help="one-sided confidence of every bound",
    ),
    Option(
        name="threads",
        metavar="N",
        parse=_whole(1, "a whole number, 1 or more"),
        help="threads a model may use (default: the processor quota, shared among xdist workers)",
    ),
    Option(
        name="decode-batch",
        metavar="N",
        parse=_whole(1, "a whole number, 1 or more"),
        default="16",
        help="utterances decoded at once",
    ),
    Option(
        name="seed",
        metavar="N",
        parse=_whole(0, "a whole number, 0 or more"),
        default="0",
        help="seed of subsets and bootstrap resamples; the same seed gives the same verdict",
    ),
    Option(
        name="cache-dir",
        metavar="DIR",
        parse=_text,
        is_path=True,
        help="where built models and transcripts are kept (default: the platform's cache directory)",
    ),
)


def parse_options(cli: Mapping[str, str | None], ini: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the value of every option by its name: command line over ini over default; None where nothing says.

    An empty ini value says nothing, an empty flag is an error: it is mostly a shell variable that is not set, and a
    gate run without a backend would be a green one.

    ``cli`` and ``ini`` map `Option.ini` keys to what was typed. Raises `ConfigError` naming the flag or key.
    """
    if strangers := {*cli, *ini} - {option.ini for option in OPTIONS}:
        raise ConfigError(f"unknown option {sorted(strangers)[0]!r}; valid: {', '.join(o.ini for o in OPTIONS)}")
    values: dict[str, Any] = {}
    for option in OPTIONS:
        given = ((cli.get(option.ini), option.flag), (ini.get(option.ini) or None, f"{option.ini} (ini)"))
        typed, source = next(((text, name) for text, name in given if text is not None), (option.default, option.flag))
        try:
            values[option.name] = None if typed is None else option.parse(typed)
        except ValueError as error:
            raise ConfigError(f"{source}: must be {error} (got {typed!r})") from None
    return values
