"""Short keys of long names."""

from pytest_whisperq.system.keys import as_bytes, key_of


def test_a_key_is_the_same_in_every_process_and_for_every_cache() -> None:
    assert key_of("a") == 0x2F42665B399EF840
    assert key_of("a") != key_of("b")


def test_a_name_that_is_no_text_has_a_key() -> None:
    assert key_of("\udcff") != key_of("\udcfe")


def test_the_key_of_a_text_is_the_same_on_every_machine() -> None:
    assert key_of("anna") == 10109037774674085072
    assert len({key_of(text) for text in ("anna", "Anna", "", "\udc80", "\0")}) == 5


def test_texts_sort_as_bytes_as_they_do_as_texts() -> None:
    texts = ["", "a", "ä", "\ud800", "\uffff", "\U0001f600", "b", "a\0"]
    assert sorted(texts, key=as_bytes) == sorted(texts)
