"""What a precision needs beyond its backend: said before anything is built, and part of no other one's identity."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_whisperq.backends import Backend, check_installed, distributions, get_backend
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.decoding.actor import identity_of
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import ArtifactStore
from pytest_whisperq.system import machine, optional_imports
from pytest_whisperq.system.errors import MissingDependency

WITH_TORCHAO = ("int8-weight", "float8-weight")


@pytest.fixture
def transformers() -> Backend:
    return get_backend("transformers")


@pytest.fixture
def no_torchao(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional_imports, "missing", lambda modules: [name for name in modules if name == "torchao"])


@pytest.mark.parametrize("precision", WITH_TORCHAO)
@pytest.mark.usefixtures("no_torchao")
def test_a_precision_whose_package_is_absent_is_an_error_with_its_extra(transformers: Backend, precision: str) -> None:
    check_installed(transformers)
    check_installed(transformers, "int8-dynamic")
    says = rf'transformers:{precision} needs torchao, not installed; run: pip install "pytest-whisperq\[torchao\]"'
    with pytest.raises(MissingDependency, match=says):
        check_installed(transformers, precision)


@pytest.mark.parametrize(
    "asked",
    [
        {"whisperq_candidate": "transformers:int8-weight"},
        {"whisperq_backend": "transformers", "whisperq_precision": "int8-dynamic,int8-weight"},
        {"whisperq_candidate": "scripted:int8", "whisperq_baseline": "transformers:int8-weight"},
    ],
)
@pytest.mark.usefixtures("no_torchao")
def test_a_run_that_names_it_ends_before_anything_is_built(asked: dict[str, str]) -> None:
    with pytest.raises(MissingDependency, match=r"pytest-whisperq\[torchao\]"):
        resolve(asked)


@pytest.mark.usefixtures("no_torchao")
def test_with_all_backends_it_is_a_candidate_that_is_missing() -> None:
    found = resolve({"whisperq_backend": "all", "whisperq_precision": "int8-weight"}).candidates
    assert [str(candidate) for candidate in found] == ["transformers:int8-weight"]
    assert "pytest-whisperq[torchao]" in found[0].missing


def test_its_version_is_part_of_its_own_identity_and_of_no_other_one(
    store: ArtifactStore,
    start_run: Callable[..., GateRunner],
    spec: ModelSpec,
    transformers: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of its model, of its transcripts here and on a cluster, and of what a report says it was made with."""
    transcripts = start_run().session._transcripts
    asked = ("float32", "bfloat16", "int8-dynamic", "sim-int4", *WITH_TORCHAO)
    known = machine._version

    def identities(version: str) -> dict[str, list[object]]:
        monkeypatch.setattr(machine, "_version", lambda name: version if name == "torchao" else known(name))
        specs = {precision: replace(spec, backend="transformers", precision=precision) for precision in asked}
        return {
            precision: [
                store.key(one),
                transcripts._path(one, "weights"),
                identity_of(transformers, precision),
                machine.versions(distributions(transformers, precision)),
            ]
            for precision, one in specs.items()
        }

    ours, theirs = identities("0.18.0"), identities("0.19.0")
    for precision in asked:
        differ = [a != b for a, b in zip(ours[precision], theirs[precision], strict=True)]
        assert differ == [precision in WITH_TORCHAO] * 4
