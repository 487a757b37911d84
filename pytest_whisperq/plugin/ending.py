"""Why a test of a candidate ended as it did: a value that travels with its report, not a phrase in its message."""

from enum import StrEnum
from typing import Any

import pytest

PROPERTY = "whisperq_ending"
"""Key of the user property that says why a test did not pass; travels through xdist."""


class Ending(StrEnum):
    """Why a test did not pass, where this package ended it; what a test's own body does has none."""

    VERDICT = "verdict"
    """A gate failed, or could not tell."""
    WAIVED = "waived"
    """A gate did not pass, and a waiver excuses it."""
    UNTIMED = "untimed"
    """A gate could not be timed beside other processes of the run."""
    INAPPLICABLE = "inapplicable"
    """The gate demands nothing of this candidate."""
    SHARD = "shard"
    """A shard of a run decodes, and judges nothing."""
    ERROR = "error"
    """Something could not be used, built or run: there is no verdict."""


def because(ending: Ending, exception: BaseException) -> BaseException:
    """Return an exception that ends a test for that reason."""
    exception.whisperq_ending = ending  # type: ignore[attr-defined]
    return exception


def note(report: pytest.TestReport, call: pytest.CallInfo[Any]) -> None:
    """Put the reason of the exception that ended a phase of a test, if it has one, on the phase's report."""
    ending = getattr(call.excinfo.value, "whisperq_ending", None) if call.excinfo else None
    if ending is not None:
        report.user_properties.append((PROPERTY, str(ending)))


def ending_of(report: pytest.TestReport) -> Ending | None:
    """Return why a phase of a test did not pass; None where it did, or where its own body ended it."""
    return next((Ending(str(value)) for key, value in report.user_properties if key == PROPERTY), None)
