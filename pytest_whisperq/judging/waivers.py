"""Waivers: verdicts that a team lives with until a date. Read from TOML, matched with what a run judged.

A waiver excuses one judgement of one run, and only its verdict: what broke off with an error has no verdict.
"""

import tomllib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pytest_whisperq.config.candidates import explicit_candidate
from pytest_whisperq.judging.verdict import Judgement, Verdict
from pytest_whisperq.system.errors import ConfigError, unknown
from pytest_whisperq.system.files import first_line

_REQUIRED = ("id", "reason", "expires")
_KEYS = (*_REQUIRED, "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One entry of the file. ``id`` is a `Judgement.id`, ``expires`` the last day on which the waiver holds.

    ``test`` is the node id of the one test that is meant, or empty; ``where`` is what an error calls the entry.
    """

    id: str
    reason: str
    expires: date
    test: str
    where: str

    @property
    def candidate(self) -> str:
        """The candidate whose gate is waived, ``BACKEND:PRECISION``."""
        return self.id.partition("/")[2]

    @property
    def terms(self) -> str:
        """Until when it holds, and why."""
        return f"waived until {self.expires}: {self.reason}"

    def covers(self, identity: str, test: str) -> bool:
        """Whether this is about the judgement of that `Judgement.id` in the test of that node id."""
        return self.id == identity and self.test in ("", test)

    def excuse(self, judgement: Judgement) -> str:
        """Say in a line what is excused, until when, and why."""
        return f"{self.id} {judgement.verdict.value}, {self.terms}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a run's waivers: lines about those that excused a gate, had nothing to do, or must go."""

    used: tuple[str, ...]
    idle: tuple[str, ...]
    errors: tuple[str, ...]


def today() -> date:
    """Return the day on which waivers are judged: that of UTC, the same on every machine."""
    return datetime.now(UTC).date()


def read_waivers(path: Path, gates: Collection[str]) -> tuple[Waiver, ...]:
    """Read the ``[[waiver]]`` tables of a file; ``gates`` are the names a waiver's id may begin with.

    Raises `ConfigError` naming the file and the entry for whatever is not a waiver.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}", where="--whisperq-waivers") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or nested without end
        raise ConfigError(f"is not TOML: {first_line(error)}", where=str(path)) from error
    for key in data:
        if key != "waiver":
            raise unknown("unknown key", key, ("waiver",), where=str(path))
    tables = data.get("waiver", [])
    if not isinstance(tables, list):
        raise ConfigError("write each waiver as a table under [[waiver]], in double brackets", where=str(path))
    waivers: list[Waiver] = []
    for number, table in enumerate(tables, 1):
        waiver = _waiver(f"{path}: waiver {number}", table, gates)
        for earlier in waivers:
            if earlier.id == waiver.id and (earlier.test == waiver.test or "" in (earlier.test, waiver.test)):
                raise ConfigError(
                    f"repeats {earlier.where}", where=waiver.where, remedy="remove one, or give each a test of its own"
                )
        waivers.append(waiver)
    return tuple(waivers)


def _waiver(where: str, table: Any, gates: Collection[str]) -> Waiver:
    if not isinstance(table, dict):
        raise ConfigError(f"must be a table under [[waiver]] (got {table!r})", where=where)
    if isinstance(table.get("id"), str):
        where = f"{where} ({table['id']})"
    for key in table:
        if key not in _KEYS:
            raise unknown("unknown key", key, _KEYS, where=where)
    for key in _REQUIRED:
        if key not in table:
            raise ConfigError(f"has no {key}", where=where, remedy=f"a waiver needs {', '.join(_REQUIRED)}")
    for key in ("id", "reason", "test"):
        value = table.get(key, "unset")
        if not isinstance(value, str) or not value.strip():
            raise ConfigError(f"{key} must be text, and not empty (got {value!r})", where=where)
    if type(table["expires"]) is not date:  # a datetime is a date too
        raise ConfigError(
            "expires must be a date without quotes and without time, such as 2030-01-31 (got "
            f"{str(table['expires'])!r})",
            where=where,
        )
    gate, slash, pair = table["id"].strip().partition("/")
    if not slash:
        raise ConfigError('id must be what the failing gate prints, such as "accuracy/openvino:int8-ptq"', where=where)
    if gate not in gates:
        raise unknown("unknown gate", gate, gates, where=where)
    test = table.get("test", "")
    if test and "::" not in test:
        raise ConfigError(f"test must be a node id, as pytest prints it: file::test (got {test!r})", where=where)
    # Which precisions a ready-made model can have is known where its folder is, which need not be here.
    candidate = pair if "@" in pair else explicit_candidate(pair, where, installed=False)
    return Waiver(
        id=f"{gate}/{candidate}",
        reason=" ".join(table["reason"].split()),
        expires=table["expires"],
        test=test.strip(),
        where=where,
    )


def refuse_expired(waivers: Sequence[Waiver], on: date) -> None:
    """Raise one `ConfigError` that names every waiver whose last day is before ``on``."""
    expired = [f"{waiver.where}: expired on {waiver.expires}" for waiver in waivers if waiver.expires < on]
    if expired:
        raise ConfigError(
            f"{'; '.join(expired)} (today is {on})",
            remedy="remove the waiver to gate again, or decide anew and set a later day",
        )


def covering(waivers: Iterable[Waiver], judgement: Judgement, test: str) -> Waiver | None:
    """Return the waiver that excuses a judgement of the test with that node id; a `Verdict.PASS` needs none."""
    if judgement.verdict is Verdict.PASS:
        return None
    return next((waiver for waiver in waivers if waiver.covers(judgement.id, test)), None)


def settle(
    waivers: Sequence[Waiver], judged: Collection[tuple[str, Judgement]], candidates: Collection[str], *, is_whole: bool
) -> Settlement:
    """Compare the waivers with a finished run: each has to excuse exactly one judgement.

    ``judged`` are node ids of tests and what they judged, ``candidates`` those that the run gates. Where not all of the
    tests ran (``is_whole`` is false), a waiver that met no judgement is no error; one whose gate passes always is.
    """
    used: list[str] = []
    idle: list[str] = []
    errors: list[str] = []
    for waiver in waivers:
        met = [(test, judgement) for test, judgement in judged if waiver.covers(judgement.id, test)]
        tests = sorted({test for test, _ in met})
        if len(tests) > 1:
            errors.append(f"{waiver.where}: several tests judge it; say which is meant: {_or(tests)}")
        elif len(met) > 1:
            errors.append(f"{waiver.where}: {tests[0]} judges it {len(met)} times; give each gate a test of its own")
        elif met:
            judgement = met[0][1]
            if judgement.verdict is Verdict.PASS:
                errors.append(f"{waiver.where}: the gate passes; remove the waiver")
            else:
                used.append(waiver.excuse(judgement))
        elif waiver.candidate not in candidates:
            idle.append(f"{waiver.where}: not needed here, {waiver.candidate} is not gated")
        elif not is_whole:
            idle.append(f"{waiver.where}: not needed here, only a part of the tests ran")
        else:
            errors.append(f"{waiver.where}: matches nothing; {_nothing(waiver, judged)}")
    return Settlement(used=tuple(used), idle=tuple(idle), errors=tuple(errors))


def _or(tests: Iterable[str]) -> str:
    return " or ".join(f'test = "{test}"' for test in tests)


def _nothing(waiver: Waiver, judged: Collection[tuple[str, Judgement]]) -> str:
    """Say what was judged instead of what a waiver names."""
    elsewhere = sorted({test for test, judgement in judged if judgement.id == waiver.id})
    if elsewhere:
        return f"this gate is in another test: {_or(elsewhere)}"
    ids = sorted({judgement.id for _, judgement in judged})
    return f"this run reached a verdict on {', '.join(ids) or 'no gate'}. Remove the waiver or correct its id"
