"""Which parameters of a test every run tries, and which are left to ``tox run -e matrix``."""

from collections.abc import Iterable
from typing import Any

import pytest


def matrix(parameters: Iterable[str], *often: str) -> list[Any]:
    """Return the parameters of a test, all of them marked ``matrix`` but those to run ``often``.

    >>> [len(parameter.marks) for parameter in matrix(["float32", "int8", "int4"], "int8")]
    [1, 0, 1]
    """
    parameters = list(parameters)
    if unknown := set(often) - set(parameters):
        raise ValueError(f"no parameters: {unknown}")
    return [pytest.param(each, marks=() if each in often else pytest.mark.matrix) for each in parameters]
