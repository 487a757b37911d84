"""The examples in docstrings are true: every one is run, and there are enough of them to learn from."""

import doctest
import importlib
import pkgutil

import pytest_whisperq

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(pytest_whisperq.__path__, "pytest_whisperq.")
    if not module.name.endswith("__main__") and ".suites" not in module.name
)
LEAST = 15


def examples(name: str) -> list[doctest.DocTest]:
    module = importlib.import_module(name)
    return [found for found in doctest.DocTestFinder(exclude_empty=True).find(module) if found.examples]


def test_examples_print_what_they_say_and_are_enough_to_learn_from() -> None:
    found = [example for name in MODULES for example in examples(name)]
    wrong = [one.name for one in found if doctest.DocTestRunner(verbose=False).run(one).failed]
    assert not wrong
    assert len(found) >= LEAST
