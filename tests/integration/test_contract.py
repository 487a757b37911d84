"""Every backend of ours keeps the contract that the gates rely on."""

from collections.abc import Callable

from pytest_whisperq.backends import BUILT_IN, get_backend
from pytest_whisperq.contract import Subject, parametrize_backend_checks

SUBJECTS = [Subject(get_backend(name)) for name in BUILT_IN]


@parametrize_backend_checks(*SUBJECTS)
def test_it_keeps_the_contract(check: Callable[[], None]) -> None:
    check()
