"""What must not leave a machine with a report: tokens, where a user keeps things, and on request what was said."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

_SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN")
_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{20,}")
_QUOTED = re.compile(r"['\"].*['\"]", re.DOTALL)
_HIDDEN = "***"


def without_tokens(text: str) -> str:
    """Return ``text`` without access tokens of the hub: those of the environment, and what looks like one."""
    return _hidden(text, _secrets())


def _secrets() -> list[str]:
    told = [os.environ.get(name, "").strip() for name in _SECRETS]
    return [secret for secret in told if len(secret) >= 8]  # a shorter one would blank out words


def _hidden(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return _TOKEN.sub(_HIDDEN, text)


def unquoted(text: str) -> str:
    """Return a message without what stands between the first and the last quote of any kind: a transcript, perhaps.

    Paths and transcripts have apostrophes too.

    >>> unquoted("metadata.csv:7: nothing is left of the transcript 'my name is Ann'; write it out")
    'metadata.csv:7: nothing is left of the transcript …; write it out'
    """
    return _QUOTED.sub("…", text)


def shareable(text: str, here: Path | None = None) -> str:
    """Return ``text`` without tokens, and with ``~`` for the home directory, which every option of a path takes too.

    What lies ``here``, in the directory that a user works in, is named from there.
    """
    return without_tokens(_shortened(text, {**_home(), **_below(here)}))


def _home() -> dict[str, str]:
    home = Path.home()
    return {str(one): "~" for one in (home, home.resolve()) if len(one.parts) > 1}


def _below(here: Path | None) -> dict[str, str]:
    return {f"{here}{os.sep}": ""} if here and len(here.parts) > 1 else {}


def _shortened(text: str, shorter: Mapping[str, str]) -> str:
    """Replace paths, the longest first, where one begins, and the home directory where its name ends, too."""
    present = [long for long in shorter if long in text]
    for long in sorted(present, key=len, reverse=True):
        if long in text:
            short = shorter[long]
            ends = r"(?![\w-]|\.\w)" if short == "~" else ""
            text = re.sub(rf"(?<![\w.~-]){re.escape(long)}{ends}", short.replace("\\", r"\\"), text)
    return text


def scrubber(typed: Iterable[str]) -> Callable[[Any], Any]:
    """Return a function that takes tokens and the folders of this machine out of every text in JSON data.

    ``typed`` are the paths that a user named: of those outside of the working directory only the last part stays. The
    home directory becomes ``~``, and what lies in the working directory is named from there.
    """
    here = Path.cwd()
    shorter: dict[str, str] = {}
    for name in typed:
        path = Path(name).expanduser()
        whole = (here / path).resolve()
        is_below = whole != here and whole.is_relative_to(here) and len(here.parts) > 1
        if is_below or not whole.name:
            continue
        is_far = path.is_absolute() or ".." in path.parts  # else a link, in the working directory, to somewhere else
        for spelling in {name.rstrip(os.sep), str(path), str(whole)} if is_far else {str(whole)}:
            shorter[spelling] = whole.name
    shorter |= {**_below(here), **_home()}
    secrets = _secrets()

    @lru_cache(maxsize=4096)  # names of fields, languages and speakers are in every row
    def scrubbed(text: str) -> str:
        # File names need not be valid text, but JSON has to be.
        return _hidden(_shortened(text, shorter), secrets).encode("utf-8", "replace").decode()

    def scrub(value: Any) -> Any:
        if isinstance(value, str):
            return scrubbed(value)
        if isinstance(value, float) and not isfinite(value):
            return None
        if isinstance(value, dict):
            return {scrub(key): scrub(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [scrub(item) for item in value]
        return value

    return scrub


def text_digest(text: str) -> str:
    """Return what stands for a text in a redacted report: equal texts have equal digests. It hides no text of a word.

    Whoever guesses a short text can prove the guess: this keeps words out of sight, it does not encrypt them.
    """
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"
