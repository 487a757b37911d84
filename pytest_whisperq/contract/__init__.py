"""Contracts that anyone's part can be tested against: backends, and merges of streams, as plain functions.

>>> subject = Subject(MyBackend(), precision="int8")      # doctest: +SKIP
>>> check_batch_invariance(subject)                       # doctest: +SKIP

or, in a test file, every check as a test of its own::

    @parametrize_backend_checks(Subject(MyBackend(), precision="int8"))
    def test_my_backend_keeps_the_contract(check):
        check()

A merge is tested on synthetic streams (`docs/own-merge.md`)::

    @parametrize_merge_checks(MyMerge, level=Level.TIMED)
    def test_my_merge_keeps_the_contract(check):
        check()

Strategies of streams are in `pytest_whisperq.contract.streams`, a state machine in
`pytest_whisperq.contract.state_machine`: these import Hypothesis.
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
from pytest_whisperq.contract.front_end import check_front_end
from pytest_whisperq.contract.merge import (
    check_bounded_state,
    check_causality,
    check_exact_recovery,
    check_gap,
    check_idempotence,
    check_latency,
    check_monotone_commit,
    check_no_loss_at_flush,
    check_numbers,
    check_renaming,
    check_repeatable,
    check_shift,
    check_shown_once,
    check_split_invariance,
    check_stale_chunks,
    check_surface,
    check_times,
)
from pytest_whisperq.contract.merge_kit import (
    MERGE_CHECKS,
    MergeCheck,
    check_interior,
    check_merge,
    parametrize_merge_checks,
)
from pytest_whisperq.contract.merge_subject import MergeError, MergeSubject
from pytest_whisperq.contract.stream import Stream
from pytest_whisperq.contract.subject import ContractError, Subject

__all__ = [
    "BACKEND_CHECKS",
    "MERGE_CHECKS",
    "ContractError",
    "MergeCheck",
    "MergeError",
    "MergeSubject",
    "Stream",
    "Subject",
    "check_artifact_survives_a_move",
    "check_batch_invariance",
    "check_bounded_state",
    "check_build_is_reproducible",
    "check_causality",
    "check_compute_type",
    "check_declaration",
    "check_determinism",
    "check_empty_audio",
    "check_exact_recovery",
    "check_front_end",
    "check_gap",
    "check_idempotence",
    "check_interior",
    "check_language_is_detected",
    "check_latency",
    "check_long_audio",
    "check_merge",
    "check_monotone_commit",
    "check_no_loss_at_flush",
    "check_numbers",
    "check_order",
    "check_renaming",
    "check_repeatable",
    "check_shift",
    "check_shown_once",
    "check_silence",
    "check_split_invariance",
    "check_stale_chunks",
    "check_surface",
    "check_times",
    "check_unknown_precision",
    "parametrize_backend_checks",
    "parametrize_merge_checks",
]
