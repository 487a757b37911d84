"""Groups that are held as numbers are those that plain strings make, whatever the names and however they arrive."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.measuring import groups as groups_module
from pytest_whisperq.measuring.groups import grouped, numbered
from pytest_whisperq.measuring.intervals import MIN_CLUSTERS, in_one_place, judged_by, sum_by_cluster

texts = st.text(st.characters(exclude_categories=()), max_size=30)
alike = st.builds(
    "{}{}".format, st.sampled_from(["speaker ", "speaker 00000", "", "é" * 9, "\ud800x"]), st.text("01a\0", max_size=20)
)
names = st.lists(texts | alike | st.sampled_from("abc"), max_size=40)


@pytest.fixture(autouse=True, scope="module")
def _few_names() -> Iterator[None]:
    """As few names are sorted in full as could be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups_module, "_FEW", 2)
        yield


@given(names=names)
def test_groups_are_numbered_in_the_order_of_their_names(names: list[str]) -> None:
    ordered = sorted(set(names))
    for arrived in (names, iter(names)):
        groups = grouped(arrived)
        assert groups.numbers.tolist() == [ordered.index(name) for name in names]
        assert (groups.size, [*groups]) == (len(ordered), names)


@given(names=names, data=st.data())
def test_some_of_the_groups_are_those_of_some_of_the_names(names: list[str], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.sampled_from(range(len(names))))) if names else []
    some = [names[place] for place in places]
    assert grouped(names).at(places) == some
    assert grouped(names).at(places).numbers.tolist() == grouped(some).numbers.tolist()


@given(names=st.lists(st.sampled_from(["", "", "a", "k"]), max_size=120))
def test_who_has_no_name_is_alone_and_comes_first_by_place(names: list[str]) -> None:
    own = [name or f"\0{place}" for place, name in enumerate(names)]
    numbers, count = numbered(names)
    assert numbers.tolist() == [sorted(set(own)).index(name) for name in own]
    assert count == len(set(own))


@given(names=names.map(lambda names: [name.lstrip("\0") for name in names]), seed=st.integers(0, 9))
def test_sums_are_to_the_last_digit_those_by_sorted_names(names: list[str], seed: int) -> None:
    columns = np.random.default_rng(seed).normal(size=(len(names), 2))
    own = [name or f"\0{place}" for place, name in enumerate(names)]
    expected = np.zeros((len(set(own)), 2))
    for name, row in zip(own, columns, strict=True):
        expected[sorted(set(own)).index(name)] += row
    assert sum_by_cluster(columns, names).tolist() == expected.tolist()


@given(rows=st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from("0123456789")), max_size=40))
def test_each_sound_is_in_the_first_of_its_clusters(rows: list[tuple[str, str]]) -> None:
    clusters, clips = [cluster for cluster, _ in rows], [clip for _, clip in rows]
    expected = [min(cluster for cluster, other in rows if other == clip) for clip in clips]
    assert in_one_place(clusters, iter(clips)) == expected
    groups, few = judged_by(iter(clusters), clips)
    if len(set(expected)) < MIN_CLUSTERS <= len(set(clips)):
        assert (groups, few) == (clips, len(set(expected)))
    else:
        assert (groups, few) == (expected, 0)
