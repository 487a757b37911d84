"""Hooks that a conftest or another plugin may implement."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_whisperq.backends import Backend
    from pytest_whisperq.gates import Gate
    from pytest_whisperq.speech.normalizers import Normalizer


@pytest.hookspec
def pytest_whisperq_backends() -> "Mapping[str, type[Backend]]":  # type: ignore[empty-body]
    """Return backends of your own: name → class, which is called without arguments.

    They are then named like the built-in ones, ``--whisperq-backend NAME``. Asked once, at the start: a conftest that
    implements it has to be one that pytest loads by then, beside the ini file or in a folder that is run. A package
    that brings a backend registers it for everyone with an entry point of the group ``pytest_whisperq.backends``.
    """


@pytest.hookspec
def pytest_whisperq_gates() -> "Sequence[Gate]":  # type: ignore[empty-body]
    """Return gates of your own (docs/own-gate.md).

    Each then has a marker, ``whisperq_NAME``, and a method of the fixture ``whisperq_gate``. Asked once, at the start:
    a conftest that implements it has to be one that pytest loads by then, beside the ini file or in a folder that is
    run. A package that brings a gate registers it for everyone with an entry point of the group
    ``pytest_whisperq.gates``.
    """


@pytest.hookspec
def pytest_whisperq_normalizers() -> "Sequence[Normalizer]":  # type: ignore[empty-body]
    """Return normalizers of your own (docs/normalizers.md).

    They are then named like the built-in ones, ``--whisperq-normalizer NAME``. Asked once, at the start: a conftest
    that implements it has to be one that pytest loads by then, beside the ini file or in a folder that is run. A
    package that brings a normalizer registers it for everyone with an entry point of the group
    ``pytest_whisperq.normalizers``.
    """
