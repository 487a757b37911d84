"""What must not leave a machine with a report: tokens, where a user keeps things, and on request what was said."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable
from math import isfinite
from pathlib import Path
from typing import Any

_SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN")
_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{20,}")
_HIDDEN = "***"


def without_tokens(text: str) -> str:
    """Return ``text`` without access tokens of the hub: those of the environment, and what looks like one."""
    for name in _SECRETS:
        if len(secret := os.environ.get(name, "").strip()) >= 8:  # a shorter one would blank out words
            text = text.replace(secret, _HIDDEN)
    return _TOKEN.sub(_HIDDEN, text)


def shareable(text: str) -> str:
    """Return ``text`` without tokens, and with ``~`` for the home directory, which every option of a path takes too."""
    home = Path.home()
    return without_tokens(text.replace(str(home), "~") if len(home.parts) > 1 else text)


def scrubber(typed: Iterable[str]) -> Callable[[Any], Any]:
    """Return a function that takes tokens and the folders of this machine out of every text in JSON data.

    ``typed`` are the paths that a user named: of those outside of the working directory only the last part stays. The
    home directory becomes ``~``, and what lies in the working directory is named from there.
    """
    here, home = Path.cwd(), Path.home()
    shorter: dict[str, str] = {}
    for name in typed:
        path = Path(name).expanduser()
        whole = (here / path).resolve()
        is_below = whole != here and whole.is_relative_to(here) and len(here.parts) > 1
        if (path.is_absolute() or ".." in path.parts) and not is_below and whole.name:
            for spelling in {name, str(path), str(whole)}:
                shorter[spelling] = whole.name
    if len(here.parts) > 1:
        shorter[f"{here}{os.sep}"] = ""
    if len(home.parts) > 1:
        shorter[str(home)] = "~"
    longest_first = sorted(shorter.items(), key=lambda row: -len(row[0]))

    def scrub(value: Any) -> Any:
        if isinstance(value, str):
            for long, short in longest_first:
                value = value.replace(long, short)
            # File names need not be valid text, but JSON has to be.
            return without_tokens(value).encode("utf-8", "replace").decode()
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
