"""A team's own spelling: what is written one way and another, and counts as the same."""

import hashlib
import json
import re
import sys
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pytest_whisperq.speech.corpus.spacing import is_spaced
from pytest_whisperq.speech.typography import unify
from pytest_whisperq.system.errors import ConfigError, unknown
from pytest_whisperq.system.files import first_line, refuse_special

OPTION = "--whisperq-substitutions"

_TABLES = ("replace", "variants")
_RULE = re.compile(r"(?P<found>.+?)\s*=>\s*(?P<becomes>.*?)(?:\s+/\s*(?P<context>.*))?")
_ANYWHERE = re.compile(r"\[\s*\]\s*__\s*\[\s*\]")
_REMEDY = 'write [replace] found = "becomes", or [variants] "standard" = ["found", …]; see docs/normalizers.md'


@dataclass(frozen=True)
class Substitutions:
    """What is found in a text → what it becomes, on both sides of every comparison.

    A whole word or phrase is found, whatever its case; of two that begin at the same place, the longer one. What it
    becomes is not looked at again.
    """

    pairs: Mapping[str, str]

    @cached_property
    def digest(self) -> str:
        """What tells these substitutions from others, whatever file they were read from: a part of SHA-256."""
        return hashlib.sha256(json.dumps(sorted(self.pairs.items())).encode()).hexdigest()[:12]

    def through(self, spelling: Callable[[str], str]) -> Callable[[str], str]:
        """Return the function that replaces in a text of that ``spelling``, which is that of the pairs too.

        Raises `ConfigError` for what that spelling takes out, such as a tag: it would never be found.
        """
        if gone := [found for found in self.pairs if not spelling(found)]:
            raise ConfigError(
                f"{gone[0]!r} is never found: the normalizer takes it out of a text before",
                where=OPTION,
                remedy="remove it",
            )
        spelt = [(spelling(found), spelling(becomes)) for found, becomes in self.pairs.items()]
        ordered = sorted(spelt, key=lambda pair: -len(pair[0]))
        pattern = re.compile("|".join(f"({_pattern(found)})" for found, _ in ordered), re.IGNORECASE)
        apart = [_set_apart(found, becomes) for found, becomes in ordered]
        return lambda text: " ".join(pattern.sub(lambda match: apart[(match.lastindex or 0) - 1], text).split())


def read_substitutions(path: Path) -> Substitutions:
    """Read a TOML file, or one of lines ``found => becomes`` or ``found<TAB>becomes``.

    TOML has a table ``[replace]``, found = becomes, a table ``[variants]``, standard = [found, …], or both. Lines are
    those of NIST's GLM files, ``[hmm] => [%hesitation] / [ ] __ [ ]``, or pairs parted by a tab; those that begin with
    ``;;``, ``#`` or ``*`` say nothing. Raises `ConfigError` naming the file and the entry for whatever is neither, and
    for what would be replaced in one text and not in another.
    """
    refuse_special(path, OPTION)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror or error}", where=OPTION, remedy="name a file of substitutions"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{path} is not UTF-8", where=OPTION, remedy="save it as UTF-8") from error
    entries = _tables(path, text) if path.suffix == ".toml" else _lines(path, text)
    pairs: dict[str, str] = {}
    named: dict[str, str] = {}
    for where, found, becomes in entries:
        found, becomes = (" ".join(unicodedata.normalize("NFC", one).split()) for one in (found, becomes))
        if not found:
            raise ConfigError("finds nothing: what is to be replaced is empty", where=where, remedy=_REMEDY)
        earlier = named.setdefault(_key(unify(found) or found), found)
        if pairs.setdefault(earlier, becomes) != becomes:
            raise ConfigError(
                f"replaces {found!r} by {becomes!r}, and an earlier entry by {pairs[earlier]!r}",
                where=where,
                remedy="remove one",
            )
    if not pairs:
        raise ConfigError(f"{path} holds no substitution", where=OPTION, remedy=_REMEDY)
    substitutions = Substitutions(pairs)
    replace = substitutions.through(str)
    for found, becomes in pairs.items():
        if (again := replace(becomes)) != becomes:
            raise ConfigError(
                f"{found!r} becomes {becomes!r}, of which another entry makes {again!r}: the two are never the same",
                where=f"{OPTION}: {path}",
                remedy=f"let {found!r} become {again!r}",
            )
    return substitutions


def _tables(path: Path, text: str) -> Iterator[tuple[str, str, str]]:
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"is not TOML: {first_line(error)}", where=f"{OPTION}: {path}", remedy=_REMEDY) from error
    for name, table in data.items():
        if name not in _TABLES:
            raise unknown("unknown table", name, _TABLES, where=f"{OPTION}: {path}")
        if not isinstance(table, dict):
            raise ConfigError(f"{name} must be a table (got {table!r})", where=f"{OPTION}: {path}", remedy=_REMEDY)
        for key, value in table.items():
            yield from _entries(f"{OPTION}: {path}: {name}.{key}", name, key, value)


def _entries(where: str, table: str, key: str, value: Any) -> Iterator[tuple[str, str, str]]:
    if table == "replace" and isinstance(value, str):
        yield where, key, value
    elif table == "variants" and isinstance(value, list) and all(isinstance(one, str) for one in value):
        for found in value:
            yield where, found, key
    else:
        wanted = "a text" if table == "replace" else "a list of texts"
        raise ConfigError(f"must be {wanted} (got {value!r})", where=where, remedy=_REMEDY)


def _lines(path: Path, text: str) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{OPTION}: {path}:{number}"
        line = line.partition(";;")[0].strip(" \r\n")
        if not line.strip() or line.startswith(("#", "*")):
            continue
        if "\t" in line and "=>" not in line:
            found, _, becomes = line.partition("\t")
            if "\t" in becomes:
                raise ConfigError("has more than two columns", where=where, remedy="write found<TAB>becomes")
        elif "{" in line:
            raise ConfigError("gives alternatives in braces, which is not supported", where=where, remedy="choose one")
        elif rule := _RULE.fullmatch(line):
            if rule["context"] and not _ANYWHERE.fullmatch(rule["context"]):
                raise ConfigError(
                    f"replaces in the context {rule['context']!r} only, which is not supported",
                    where=where,
                    remedy="write / [ ] __ [ ], or leave the context out",
                )
            found, becomes = _bare(rule["found"]), _bare(rule["becomes"])
        else:
            raise ConfigError(f"is no substitution: {line!r}", where=where, remedy="write found => becomes")
        yield where, found, becomes


def _bare(text: str) -> str:
    """Return what stands in the brackets of a GLM rule, or the text where it has none."""
    text = text.strip()
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def _key(text: str) -> str:
    return " ".join(text.lower().split())


def _pattern(found: str) -> str:
    before, after = map(_is_part_of_word, (found[0], found[-1]))
    words = r"\s+".join(map(re.escape, found.split()))
    return (f"(?<!{_within_word()})" if before else "") + words + (f"(?!{_within_word()})" if after else "")


def _set_apart(found: str, becomes: str) -> str:
    """Return a replacement with spaces where that of a sign, such as "&", would grow together with words beside it."""
    edges = found[0], found[-1]
    before, after = (" " if is_spaced(None, char) and not _is_part_of_word(char) else "" for char in edges)
    return before + becomes + after


def _is_part_of_word(char: str) -> bool:
    """Whether letters beside a character make another word of it, as they do not where no spaces part words."""
    return bool(re.match(_within_word(), char)) and is_spaced(None, char)


@lru_cache(maxsize=1)
def _within_word() -> str:
    """Return the class of what belongs to a word: combining marks too, such as the vowel signs of Hindi."""
    marks = (char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(char)[0] == "M")
    return f"[\\w{''.join(marks)}]"
