"""Ini keys and markers that are nearly ours. pytest only warns of them, and a limit that is misspelt does not hold."""

import difflib
from collections.abc import Iterable

import pytest

from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.gates import registry
from pytest_whisperq.plugin.markers import MERGE_CONTRACT
from pytest_whisperq.system.errors import unknown

_ALIKE = 0.85
"""Ratio of `difflib` from which a name without our prefix is one of ours with a slip in it, as whisper_max_drop."""


def refuse_ini_keys(config: pytest.Config) -> None:
    """Raise `ConfigError` for a key of the ini file, or of ``-o``, that looks like ours and is nobody's.

    A backend of somebody else's may declare keys with our prefix.
    """
    names = [option.ini for option in OPTIONS]
    typed = [text.partition("=")[0] for text in config.getoption("override_ini") or ()]
    for key in (*config._get_unknown_ini_keys(), *typed):  # pytest has no public list of what an ini file holds
        if _looks_like(key, names) and not _is_declared(config, key):
            where = "-o" if key in typed or config.inipath is None else config.inipath.name
            raise unknown("unknown option", key, names, where=where)


def _is_declared(config: pytest.Config, key: str) -> bool:
    try:
        config.getini(key)
    except ValueError:
        return False
    return True


def refuse_markers(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Raise `ConfigError` for a marker that looks like that of a gate and is none.

    All names with our prefix are gates, also where an ini file registers another to silence a warning.
    """
    names = [f"{registry.PREFIX}{name}" for name in registry.names()] + [MERGE_CONTRACT]
    passed = {line.partition(":")[0].partition("(")[0].strip() for line in config.getini("markers")}
    passed = {name for name in passed if not name.startswith(registry.PREFIX)} | set(names)
    for item in items:
        for mark in item.iter_markers():
            if mark.name not in passed and _looks_like(mark.name, names):
                raise unknown("unknown marker", mark.name, names, where=item.nodeid)
            passed.add(mark.name)


def _looks_like(name: str, names: list[str]) -> bool:
    return name.startswith(registry.PREFIX.rstrip("_")) or bool(difflib.get_close_matches(name, names, 1, _ALIKE))
