"""The search for garbage stops while values are made, and is afterwards as it was."""

import gc

import pytest

from pytest_whisperq.system.garbage import no_search_for_garbage


def test_the_search_goes_on_afterwards_whatever_was_raised() -> None:
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), no_search_for_garbage():
        1 / gc.isenabled()
    assert gc.isenabled()


def test_a_search_that_somebody_stopped_stays_stopped() -> None:
    gc.disable()
    try:
        with no_search_for_garbage():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
