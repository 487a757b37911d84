"""Every backend of ours keeps the contract that the gates rely on."""

from collections.abc import Callable

from pytest_whisperq.backends import get_backend, in_all
from pytest_whisperq.contract import Subject, parametrize_backend_checks

SUBJECTS = [Subject(get_backend(name)) for name in (*in_all(), "openvino-stateless")]


@parametrize_backend_checks(*SUBJECTS)
def test_it_keeps_the_contract(check: Callable[[], None]) -> None:
    check()
