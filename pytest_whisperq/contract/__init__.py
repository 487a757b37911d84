"""Contracts that anyone's part can be tested against: what the gates rely on, as plain functions.

>>> subject = Subject(MyBackend(), precision="int8")      # doctest: +SKIP
>>> check_batch_invariance(subject)                       # doctest: +SKIP

or, in a test file, every check as a test of its own::

    @parametrize_backend_checks(Subject(MyBackend(), precision="int8"))
    def test_my_backend_keeps_the_contract(check):
        check()
"""

from pytest_whisperq.contract.backend import (
    BACKEND_CHECKS,
    check_artifact_survives_a_move,
    check_batch_invariance,
    check_build_is_reproducible,
    check_compute_type,
    check_declaration,
    check_determinism,
    check_empty_audio,
    check_language_is_detected,
    check_long_audio,
    check_order,
    check_silence,
    check_unknown_precision,
    parametrize_backend_checks,
)
from pytest_whisperq.contract.subject import ContractError, Subject

__all__ = [
    "BACKEND_CHECKS",
    "ContractError",
    "Subject",
    "check_artifact_survives_a_move",
    "check_batch_invariance",
    "check_build_is_reproducible",
    "check_compute_type",
    "check_declaration",
    "check_determinism",
    "check_empty_audio",
    "check_language_is_detected",
    "check_long_audio",
    "check_order",
    "check_silence",
    "check_unknown_precision",
    "parametrize_backend_checks",
]
