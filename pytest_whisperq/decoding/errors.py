"""Whose fault it is when a model cannot be run, said in one way wherever one is run."""

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_whisperq.backends import _whisper
from pytest_whisperq.system.errors import DecodeError, WhisperqError


@contextmanager
def decode_errors(what: str, where: str = "") -> Iterator[None]:
    """Keep libraries quiet, and raise a `DecodeError` that begins with ``what`` for whatever one of them raises.

    Errors of this package say themselves what was wrong, and go through; a `DecodeError` with ``where`` before it.
    """
    try:
        with _whisper.quiet_libraries():
            yield
    except DecodeError as error:
        if not where:
            raise
        raise error.within(where) from error
    except WhisperqError:
        raise
    except Exception as error:
        raise DecodeError(str(error), where=what) from error
