"""Short keys of long names."""

from pytest_whisperq.decoding import transcript_places
from pytest_whisperq.system.keys import key_of


def test_a_key_is_the_same_in_every_process_and_for_every_cache() -> None:
    assert key_of("a") == transcript_places.key_of("a") == 0x2F42665B399EF840
    assert key_of("a") != key_of("b")


def test_a_name_that_is_no_text_has_a_key() -> None:
    assert key_of("\udcff") != key_of("\udcfe")
