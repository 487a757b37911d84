"""What a user sees of an error: one message, which ends the run before the first gate, and later fails the test.

Loaded by every pytest run that has the plugin installed: what only an error needs is imported when there is one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_whisperq.system.errors import WhisperqError


@contextmanager
def usage_errors(*redacted: type[WhisperqError]) -> Iterator[None]:
    """End the run with an error of ours, or of the system about a file; ``redacted`` are those that quote a corpus."""
    try:
        yield
    except (WhisperqError, OSError) as error:
        from pytest_whisperq.system.redaction import without_tokens

        raise pytest.UsageError(without_tokens(_text(error, redacted))) from None


@contextmanager
def plain_errors(*, redact: bool = False) -> Iterator[None]:
    """Turn an error of ours, or of the system about a file, into a test failure that is its message.

    Without a stack of other people's frames; to ``redact`` leaves out what it quotes.
    """
    try:
        yield
    except (WhisperqError, OSError) as error:
        from pytest_whisperq.plugin.ending import Ending, because
        from pytest_whisperq.system.redaction import shareable

        text = shareable(_text(error, (WhisperqError,) if redact else ()))
        raise because(Ending.ERROR, pytest.fail.Exception(f"whisperq: {text}", pytrace=False)) from None


def _text(error: WhisperqError | OSError, redacted: tuple[type[WhisperqError], ...]) -> str:
    from pytest_whisperq.system.files import system_error
    from pytest_whisperq.system.redaction import unquoted

    known = system_error(error) if isinstance(error, OSError) else error
    return unquoted(str(known)) if isinstance(known, redacted) else str(known)
