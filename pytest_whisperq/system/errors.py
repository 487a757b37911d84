"""What can go wrong, in one tree.

::

    WhisperqError
    ├── ConfigError         an option, ini key or marker that cannot be used
    │   └── LeftToJudgingError  what a shard of a run cannot tell, and the run that judges all of them can
    ├── MissingDependency   a backend or reader whose packages are not installed, or are broken
    ├── CorpusError         a manifest, transcript or recording that cannot be used
    ├── BuildError          a model that could not be found, converted or quantized
    │   └── QuantizationError   a model that was quantized, and does not do what it did
    ├── StoreError          the cache directory: full, read-only, locked
    ├── DecodeError         a model that could not be run, or ran at another precision than it was asked to
    └── StreamError         windows with which no merge can be right, or chunks that are none

Every message names the file or option, says what was wrong, and what to do next.
"""

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_whisperq.system.printing import printable

if TYPE_CHECKING:
    from typing import Self


class WhisperqError(Exception):
    """Base of everything this package raises on purpose: what was wrong, where, and what to do about it.

    ``where`` is a file and line, an option, a marker or a model; the text is made of all three, and `printable`.

    >>> str(ConfigError("must be a rate (got '7')", where="--whisperq-max-divergence", remedy="write 0.05 for 5 %"))
    "--whisperq-max-divergence: must be a rate (got '7'); write 0.05 for 5 %"
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def within(self, where: str) -> "Self":
        """Return the same error with a place around its own: a manifest's line around a file, an option around a key.

        >>> str(CorpusError("cannot be read", where="a.wav").within("metadata.csv:3"))
        'metadata.csv:3: a.wav: cannot be read'
        """
        return type(self)(self.what, where=f"{where}: {self.where}" if self.where else where, remedy=self.remedy)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return printable(f"{text}; {self.remedy}" if self.remedy else text)


class ConfigError(WhisperqError):
    """An option, ini key or marker that cannot be used."""


class LeftToJudgingError(ConfigError):
    """A shard of a run was asked for what only the run that judges all shards can tell."""


class MissingDependency(WhisperqError):  # noqa: N818 - the field says "missing dependency", like ModuleNotFoundError
    """Packages that a backend or reader needs are not installed, or cannot be imported."""


class CorpusError(WhisperqError):
    """A manifest, transcript or recording that cannot be used."""


class BuildError(WhisperqError):
    """A model that could not be found, converted or quantized."""


class QuantizationError(BuildError):
    """A model was quantized, and does not do what it did: another setting or calibration set may help."""


class StoreError(WhisperqError):
    """The cache directory cannot be written or read."""


class DecodeError(WhisperqError):
    """A model could not be run, or ran at another precision than it was asked to."""


class StreamError(WhisperqError):
    """Windows overlap too little, or times are too inexact, for a merge to be right; or a chunk is none."""


def unknown(kind: str, value: str, valid: Iterable[str], *, where: str = "") -> ConfigError:
    """Return the error for a value outside a fixed set, with the nearest valid one; ``kind`` opens the sentence."""
    names = sorted(valid)
    by_likeness = {name.casefold(): name for name in names}  # INT8 is nothing like int8, letter by letter
    near = difflib.get_close_matches(value.casefold(), by_likeness, n=1, cutoff=0.5)
    hint = f" (did you mean {by_likeness[near[0]]!r}?)" if near else ""
    return ConfigError(f"{kind} {value!r}{hint}", where=where, remedy=f"valid: {', '.join(names) or 'none'}")
