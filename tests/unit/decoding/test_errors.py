"""Whose fault it is when a model cannot be run."""

import pytest

from pytest_whisperq.decoding.errors import decode_errors
from pytest_whisperq.system.errors import ConfigError, DecodeError, WhisperqError


@pytest.mark.parametrize(
    ("raised", "where", "kind", "text"),
    [
        (RuntimeError("no memory"), "clip 3", DecodeError, "int8 failed: no memory"),
        (DecodeError("no text"), "clip 3", DecodeError, "clip 3: no text"),
        (ConfigError("no such size", where="--size"), "clip 3", ConfigError, "--size: no such size"),
    ],
)
def test_it_is_said_what_failed_and_where(raised: Exception, where: str, kind: type[WhisperqError], text: str) -> None:
    with pytest.raises(kind) as caught, decode_errors("int8 failed", where=where):
        raise raised
    assert str(caught.value) == text


def test_an_error_that_says_where_itself_goes_through_as_it_is() -> None:
    error = DecodeError("no text", where="clip 3", remedy="add one")
    with pytest.raises(DecodeError) as caught, decode_errors("int8 failed"):
        raise error
    assert caught.value is error
