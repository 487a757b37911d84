"""``corpus init --draft``: the original model writes the transcripts that are missing, and they are marked."""

from collections.abc import Mapping
from pathlib import Path

from pytest_whisperq.backends import check_installed, get_backend
from pytest_whisperq.commands import warn_of_memory
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.decoding.decoder import Progress
from pytest_whisperq.models.languages import hearable
from pytest_whisperq.session import Session, silent
from pytest_whisperq.speech.corpus import Corpus
from pytest_whisperq.speech.corpus.drafts import REMEDY, DraftTable
from pytest_whisperq.speech.corpus.languages import in_language
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.files import replace_text

_WHERE = "corpus init --draft"


def draft(
    table: Path, options: Mapping[str, str | None], backend: str | None, progress: Progress = silent
) -> list[str]:
    """Fill in what the model of ``options`` (``whisperq_model`` …) hears where ``table`` has no text; return lines.

    What was heard is kept as it is heard, so that a run that was ended goes on where it was. The table is read again
    then: what somebody wrote meanwhile stays. Raises `ConfigError` where no model is named.
    """
    if not options.get("whisperq_model"):
        raise ConfigError(
            "needs a model that hears the recordings", where=_WHERE, remedy="name your checkpoint with --model"
        )
    if backend is not None:
        check_installed(get_backend(backend, "--backend"))
    config = resolve({**options, **({"whisperq_baseline": backend} if backend else {})})
    empty = tuple(DraftTable.read(table).empty().values())
    if not empty:
        return [f"{table}: every recording has its transcript; nothing to draft"]
    session = Session(config, progress)
    asked = Corpus(name=str(table), utterances=empty)
    if config.language:
        asked = in_language(asked, config.language)
    corpus = hearable(asked, [session.baseline_source])
    warn_of_memory(session)
    heard = session.heard(corpus)
    texts = {item.id: " ".join(text.split()) for item, text in zip(corpus.utterances, heard.texts, strict=True)}
    content, count = DraftTable.read(table).filled(texts)
    replace_text(table, content, _WHERE)
    lines = [f"{table}: drafts of {count} transcripts by {heard.spec}; a run refuses them: {REMEDY}"]
    if left := len(empty) - count:
        lines.append(f"{left} have no text yet: the model heard nothing there, or somebody wrote one meanwhile")
    return [*lines, *(f"note: {repair}" for repair in session.repairs)]
