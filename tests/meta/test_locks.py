"""What is pinned: the tested set, every lower bound; and that a run under tox has those versions."""

import os
import platform
import runpy
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
TESTED, LOWEST, LATEST = (ROOT / f"constraints{kind}.txt" for kind in ("", "-lowest", "-latest"))
LOCK = runpy.run_path(str(ROOT / ".ci" / "lock.py"))
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OURS = canonicalize_name(DECLARED["project"]["name"])

for_the_locked_platform = pytest.mark.skipif(
    (sys.platform, platform.machine(), sys.version_info[:2]) != ("linux", "x86_64", (3, 11)),
    reason="the locks are for Python 3.11 on Linux x86-64",
)


def group(name: str) -> list[str]:
    """Return what a dependency group requires, the groups it includes with it."""
    found: list[str] = []
    for one in DECLARED["dependency-groups"][name]:
        found += [one] if isinstance(one, str) else group(one["include-group"])
    return found


def direct(*groups: str) -> list[Requirement]:
    """Return what the project, its extras and some groups name."""
    lines = [*DECLARED["project"]["dependencies"]]
    lines += [line for extra in DECLARED["project"]["optional-dependencies"].values() for line in extra]
    lines += [line for name in groups for line in group(name)]
    found = [Requirement(line) for line in lines]
    return [one for one in found if canonicalize_name(one.name) != OURS]


def installed_requirements(name: str) -> list[str]:
    """Return what an installed distribution requires; nothing of one that is not installed."""
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def closure(
    wanted: Iterable[Requirement], requires: Callable[[str], Iterable[str]] = installed_requirements
) -> set[str]:
    """Return the names of all that ``wanted`` brings, as far as it is installed, CUDA aside."""
    seen: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(one.name), extra) for one in wanted for extra in ("", *one.extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen or LOCK["CUDA"].match(name):
            continue
        seen.add((name, extra))
        for line in requires(name):
            one = Requirement(line)
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(one.name), more) for more in ("", *one.extras)]
    return {name for name, _ in seen}


def pins(path: Path) -> Mapping[str, str]:
    found: Mapping[str, str] = LOCK["pins"](path.read_text(encoding="utf-8"))
    return found


def under_tox() -> Path:
    """Return the constraints under which tox installed what runs this."""
    given = os.environ.get("PIP_CONSTRAINT", "")
    if Path(given) not in (TESTED, LOWEST, LATEST):
        pytest.skip("PIP_CONSTRAINT names no lock of this repository: the run is not tox's")
    return Path(given)


@for_the_locked_platform
def test_every_distribution_of_extras_and_groups_is_pinned() -> None:
    locks = {str(LOWEST): (LOWEST, ("test",)), str(LATEST): None}
    lock = locks.get(os.environ.get("PIP_CONSTRAINT", ""), (TESTED, tuple(DECLARED["dependency-groups"])))
    if lock is None:
        pytest.skip("the newest versions may bring what no lock knows")
    path, groups = lock
    assert closure(direct(*groups)) - pins(path).keys() == set()


def test_what_is_installed_is_what_tox_was_told() -> None:
    wrong = {}
    for name, version in pins(under_tox()).items():
        try:
            found = Version(metadata.version(name)).public
        except metadata.PackageNotFoundError:
            continue  # of another environment of tox
        if Version(found) != Version(version):
            wrong[name] = f"{found}, not {version}"
    assert wrong == {}


def is_lowest(one: Requirement, pinned: str) -> bool:
    """Return whether a pin is the first version that a lower bound names: 3.15.1 where there is no 3.15."""
    (bound,) = (Version(each.version) for each in one.specifier if each.operator == ">=")
    return one.specifier.contains(pinned) and Version(pinned).release[: len(bound.release)] == bound.release


def test_every_lower_bound_is_the_one_that_is_installed_as_lowest() -> None:
    found = pins(LOWEST)
    wrong = [str(one) for one in direct("test") if not is_lowest(one, found.get(canonicalize_name(one.name), "0"))]
    assert wrong == []


@pytest.mark.parametrize(
    ("requirement", "pinned", "expected"),
    [
        ("filelock>=3.15", "3.15.1", True),
        ("filelock>=3.15", "3.16.0", False),
        ("filelock>=3.15", "3.14.0", False),
        ("jiwer>=4.0,<5", "4.0.0", True),
    ],
)
def test_a_pin_above_or_below_its_bound_is_seen(requirement: str, pinned: str, expected: bool) -> None:
    assert is_lowest(Requirement(requirement), pinned) is expected


def test_the_walk_follows_extras_and_markers() -> None:
    tree = {
        "a": ["B_b[more]>=1", 'never; python_version < "3"', "nvidia-cublas", 'unasked; extra == "x"'],
        "b-b": ['c; extra == "more"', "a"],
    }
    assert closure([Requirement("A")], lambda name: tree.get(name, [])) == {"a", "b-b", "c"}


def test_the_lock_keeps_what_is_written_by_hand_and_drops_builds_and_cuda() -> None:
    head = "# why\nTorch==2.13.0\n"
    mark: str = LOCK["MARK"]
    assert LOCK["hand_written"](f"{head}{mark}old==1\n") == head
    resolved = "torch==2.13.0+cpu\nnvidia-cublas==1 ; x\ntriton==3\nyarl==1.25.1+local\n"
    assert LOCK["rest"](resolved, head) == "yarl==1.25.1\n"


def test_without_its_mark_the_lock_is_not_overwritten() -> None:
    with pytest.raises(SystemExit, match="lost its line"):
        LOCK["hand_written"]("torch==2.13.0\n")


def test_the_newest_are_held_back_only_where_the_tested_ones_are() -> None:
    assert pins(LATEST).items() <= pins(TESTED).items()


def test_groups_are_not_extras() -> None:
    extras: Mapping[str, Any] = DECLARED["project"]["optional-dependencies"]
    assert not extras.keys() & DECLARED["dependency-groups"].keys()
