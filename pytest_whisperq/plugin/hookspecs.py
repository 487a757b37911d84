"""Hooks that a conftest or another plugin may implement."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_whisperq.backends import Backend


@pytest.hookspec
def pytest_whisperq_backends() -> "Mapping[str, Callable[[], Backend]]":  # type: ignore[empty-body]
    """Return backends of your own: name → class (or anything that returns a `Backend` when called).

    They are then named like the built-in ones, ``--whisperq-backend NAME``. A package that brings a backend registers
    it for everyone with an entry point of the group ``pytest_whisperq.backends`` instead.
    """
