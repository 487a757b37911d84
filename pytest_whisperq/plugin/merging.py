"""Run the contract of a streaming merge as tests, one for each check."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_whisperq.plugin import state
from pytest_whisperq.plugin.errors import usage_errors
from pytest_whisperq.plugin.markers import MERGE_CONTRACT
from pytest_whisperq.system.errors import ConfigError, WhisperqError, unknown

if TYPE_CHECKING:
    from pytest_whisperq.contract.merge_subject import MergeSubject

PARAMETER = "whisperq_merge_check"
KEYWORDS = ("merger", "level")


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Make a test of each check that the level of a marker's merge calls for; the nearest marker is meant.

    Raises ``pytest.UsageError`` for a marker or merge that cannot be tested.
    """
    from pytest_whisperq.contract.merge_kit import merge_cases
    from pytest_whisperq.contract.subject import ContractError

    place, mark = next(metafunc.definition.iter_markers_with_node(MERGE_CONTRACT))
    try:
        with usage_errors():
            if sum(one.name == MERGE_CONTRACT for one in place.own_markers) > 1:
                raise ConfigError(
                    f"has two markers {MERGE_CONTRACT}", where=place.nodeid, remedy="give each merge a test of its own"
                )
            subject = _subject(mark, metafunc.definition.nodeid, state.gate_config(metafunc.config).merge_profile)
            cases = merge_cases(subject)
    except ContractError as error:
        raise pytest.UsageError(str(error)) from None
    if PARAMETER not in metafunc.fixturenames:
        metafunc.fixturenames.append(PARAMETER)
    metafunc.parametrize(PARAMETER, cases)


def run(item: pytest.Item) -> None:
    """Check what the test stands for; fail with the counterexample alone."""
    __tracebackhide__ = True
    from pytest_whisperq.contract.subject import ContractError

    parameters: dict[str, Callable[[], None]] = getattr(getattr(item, "callspec", None), "params", {})
    if PARAMETER not in parameters:
        reason = "belongs on a test function, its class or module, not on a parameter or a unittest case"
        pytest.fail(f"whisperq: a marker {MERGE_CONTRACT} {reason}", pytrace=False)
    try:
        parameters[PARAMETER]()
    except (ContractError, WhisperqError) as error:
        pytest.fail(str(error), pytrace=False)


def _subject(mark: pytest.Mark, where: str, profile: Path | None) -> "MergeSubject":
    from pytest_whisperq.contract.merge_subject import MergeSubject
    from pytest_whisperq.streaming.overlap import load_profile

    if mark.args:
        raise ConfigError(
            f"{MERGE_CONTRACT} takes keywords only (got {mark.args[0]!r})",
            where=where,
            remedy=f"valid: {', '.join(KEYWORDS)}",
        )
    for key in mark.kwargs:
        if key not in KEYWORDS:
            raise unknown("unknown keyword", key, KEYWORDS, where=f"{where}: {MERGE_CONTRACT}")
    merger = mark.kwargs.get("merger")
    make = _imported(merger, where) if isinstance(merger, str) else merger
    if not callable(make):
        raise ConfigError(
            f"{MERGE_CONTRACT} needs merger=, a class or 'module:Class' of a merge (got {merger!r})", where=where
        )
    return MergeSubject(
        make,
        level=_level(mark.kwargs.get("level"), where),
        profile=load_profile(profile, "--whisperq-merge-profile") if profile else None,
    )


def _imported(name: str, where: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    try:
        merger: Callable[..., Any] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"merger {name!r} cannot be imported ({error})", where=f"{where}: {MERGE_CONTRACT}"
        ) from error
    return merger


def _level(level: Any, where: str) -> Any:
    from pytest_whisperq.streaming import Level

    if level is None or isinstance(level, Level):
        return level
    names = {known.name.lower(): known for known in Level}
    numbers = {f"l{known:d}": known for known in names.values()}
    spelled = f"l{level}" if isinstance(level, int) else str(level).lower()
    if spelled not in {**names, **numbers}:
        raise ConfigError(
            f"level must be one of {', '.join(names)} (got {level!r})", where=f"{where}: {MERGE_CONTRACT}"
        )
    return {**names, **numbers}[spelled]
