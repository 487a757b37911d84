"""The fixtures. Their bodies import what they need, so that defining them costs nothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_whisperq.config.settings import GateConfig
    from pytest_whisperq.models.store import Artifact
    from pytest_whisperq.plugin.gating import GateFixture
    from pytest_whisperq.session import Model
    from pytest_whisperq.speech.corpus import Corpus


@pytest.fixture(scope="session")
def whisperq_config(pytestconfig: pytest.Config) -> "GateConfig":
    """Every option, resolved."""
    from pytest_whisperq.plugin import state

    return state.gate_config(pytestconfig)


@pytest.fixture(scope="session")
def whisperq_corpus(pytestconfig: pytest.Config) -> "Corpus":
    """The evaluation corpus: utterances with reference and slices."""
    from pytest_whisperq.plugin import state
    from pytest_whisperq.plugin.errors import plain_errors

    with plain_errors(redact=state.gate_config(pytestconfig).redact):
        return state.session(pytestconfig).corpus


@pytest.fixture(scope="session")
def whisperq_baseline(pytestconfig: pytest.Config) -> "Model":
    """The model candidates are judged against; ``.artifact`` builds it, ``.transcripts`` decodes the corpus."""
    from pytest_whisperq.plugin import state

    return state.session(pytestconfig).baseline


@pytest.fixture(scope="session")
def whisperq_candidate(request: pytest.FixtureRequest) -> "Model":
    """The quantized model under test, one after the other; a test that uses it runs once for each candidate."""
    from pytest_whisperq.plugin import state

    if not hasattr(request, "param"):
        pytest.fail(
            "whisperq: name whisperq_candidate (or whisperq_gate) among the arguments of the test", pytrace=False
        )
    return state.session(request.config).model(request.param)


@pytest.fixture(scope="session")
def whisperq_build(pytestconfig: pytest.Config) -> "Callable[[str, str], Artifact]":
    """A function (backend, precision) → built model, from the cache if it was built before."""
    from pytest_whisperq.plugin import state
    from pytest_whisperq.plugin.errors import plain_errors

    def build(backend: str, precision: str) -> "Artifact":
        with plain_errors(redact=state.gate_config(pytestconfig).redact):
            return state.session(pytestconfig).build(backend, precision)

    return build


@pytest.fixture
def whisperq_gate(request: pytest.FixtureRequest, whisperq_candidate: "Model") -> "GateFixture":
    """Gates to call from a test body: ``whisperq_gate.accuracy(max_drop=0.5)`` measures, judges, records and fails."""
    from pytest_whisperq.plugin import gating

    return gating.GateFixture(request.node, whisperq_candidate)
