"""Which parameters of a test every run tries, and which are left to ``tox run -e matrix``."""

from collections.abc import Iterable
from typing import Any

import pytest

from pytest_whisperq.backends import get_backend, in_all, refusal
from pytest_whisperq.system import package_data


def on_embedded(names: Iterable[str] | None = None) -> list[str]:
    """Return the backends, all that ``all`` means or of ``names``, that can be built of the embedded model."""
    embedded = package_data.model_directory()
    return [name for name in names or in_all() if not refusal(get_backend(name), embedded)]


def matrix(parameters: Iterable[str], *often: str) -> list[Any]:
    """Return the parameters of a test, all of them marked ``matrix`` but those to run ``often``.

    >>> [len(parameter.marks) for parameter in matrix(["float32", "int8", "int4"], "int8")]
    [1, 0, 1]
    """
    parameters = list(parameters)
    if unknown := set(often) - set(parameters):
        raise ValueError(f"no parameters: {unknown}")
    return [pytest.param(each, marks=() if each in often else pytest.mark.matrix) for each in parameters]
