"""What --whisperq-redact keeps out of tracebacks: values of frames, and what an assertion says of them."""

from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.system.errors import WhisperqError
from pytest_whisperq.system.printing import printable
from pytest_whisperq.system.redaction import shareable, unquoted

_VALUES = {"fulltrace": "--full-trace", "showlocals": "--showlocals"}
"""Options of pytest that print values of frames, some of which hold transcripts, also of internal errors."""

_TURNED_OFF = pytest.StashKey[list[str]]()


def quieten(config: pytest.Config) -> None:
    """Turn off what prints values of frames; `header` says so."""
    config.stash[_TURNED_OFF] = [flag for name, flag in _VALUES.items() if config.getoption(name)]
    for name in _VALUES:
        setattr(config.option, name, False)


def header(config: pytest.Config) -> list[str]:
    """Return the line that names what is turned off."""
    flags = config.stash.get(_TURNED_OFF, [])
    return [f"whisperq: {' and '.join(flags)} turned off by --whisperq-redact"] if flags else []


def redact(report: pytest.TestReport, call: pytest.CallInfo[Any], here: Path) -> None:
    """Leave of a traceback where it ended, named from ``here`` on, and with which kind of error.

    A message without a traceback, as gates give it, was meant to be read, and stays.
    """
    error = call.excinfo.value if call.excinfo else None
    crash = getattr(report.longrepr, "reprcrash", None)
    is_message = not getattr(error, "pytrace", True)
    if error is None or is_message or isinstance(report.longrepr, tuple):  # the last is a skip, and its reason
        return
    place = f"{crash.path}:{crash.lineno}" if crash else report.nodeid
    said = unquoted(str(error)) if isinstance(error, WhisperqError) else "its values are left out by --whisperq-redact"
    report.longrepr = printable(shareable(f"{place}: {type(error).__name__}: {said}", here))
