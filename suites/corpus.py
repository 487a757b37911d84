"""Is the corpus fit to be gated on? All that ``whisperq corpus lint`` finds, as a test.

Not part of a plain run of the suites: it listens to every recording again. Run ``pytest suites/corpus.py``, or
``--pyargs pytest_whisperq.suites.corpus``, with --whisperq-corpus.
"""

import pytest

from pytest_whisperq import GateConfig
from pytest_whisperq.commands.corpus_lint import lint
from pytest_whisperq.system.printing import printable
from pytest_whisperq.system.redaction import unquoted


def test_corpus(whisperq_config: GateConfig) -> None:
    """Nothing is wrong with any recording, transcript or row, and there are enough for the limit in force."""
    found = [printable(str(finding)) for finding in lint(whisperq_config)]
    if found:
        shown = map(unquoted, found) if whisperq_config.redact else found
        pytest.fail("\n".join(shown), pytrace=False)
