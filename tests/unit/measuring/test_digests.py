"""Which recordings are the same is found by the first bits of each, and told only of the whole."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.measuring.digests import Digests
from pytest_whisperq.system.errors import StoreError

digests = st.builds(lambda key, rest: f"{key:016x}{rest:048x}", st.integers(0, 3), st.integers(0, 2))
"""Few, of which many begin alike."""


def stored(texts: Sequence[str]) -> Digests:
    made = Digests()
    for text in texts:
        made.add(text)
    return made


@pytest.fixture(autouse=True, scope="module", params=[3, 2**12])
def at_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """So many digests are read at once, fewer than there are, and more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_whisperq.measuring.digests._AT_ONCE", request.param)
        yield


@given(st.lists(digests, max_size=30))
def test_the_first_of_each(texts: list[str]) -> None:
    assert stored(texts).firsts().tolist() == [texts.index(text) for text in texts]


@given(st.lists(digests, max_size=20), st.lists(digests, max_size=20))
def test_what_two_have_in_common(texts: list[str], others: list[str]) -> None:
    last = {text: number for number, text in enumerate(others)}
    expected = [(number, last[text]) for number, text in enumerate(texts) if text in last]
    assert list(stored(texts).shared(stored(others))) == expected


def test_more_are_added_after_some_were_read() -> None:
    made = stored(["ab" * 32])
    assert made.at(0) == "ab" * 32
    made.add("cd" * 32)
    assert [made.at(number) for number in range(2)] == ["ab" * 32, "cd" * 32]


def test_no_room_for_temporary_files_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(StoreError):
        stored(["ab" * 32] * 2**12)
