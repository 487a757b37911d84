"""Which languages the checkpoints of a run were taught, and what of a corpus they can hear."""

from collections.abc import Iterable

from pytest_whisperq.backends._whisper import generation_config
from pytest_whisperq.models.source import SourceModel
from pytest_whisperq.speech.corpus import Corpus, only_english
from pytest_whisperq.system.errors import CorpusError


def is_multilingual(source: SourceModel) -> bool:
    """Whether a checkpoint knows several languages; an English-only one is told none and detects none."""
    return bool(generation_config(source.directory).get("is_multilingual", True))


def known_languages(source: SourceModel) -> tuple[str, ...]:
    """Return the codes of the languages of which a checkpoint has tokens, sorted; none for an English-only one."""
    if not is_multilingual(source):
        return ()
    return tuple(sorted(token.strip("<|>") for token in generation_config(source.directory).get("lang_to_id") or {}))


def hearable(corpus: Corpus, sources: Iterable[SourceModel]) -> Corpus:
    """Return a corpus without the languages that an English-only checkpoint was never taught.

    Raises `CorpusError` for a language of which a multilingual one has no token: every decoder would fail on it.
    """
    for source in sources:
        if not is_multilingual(source):
            return only_english(corpus, source.name)
        known = generation_config(source.directory).get("lang_to_id") or {}
        unknown = {language for language in corpus.stated_languages if known and f"<|{language}|>" not in known}
        for item in corpus.utterances if unknown else ():
            if item.language in unknown:
                raise CorpusError(
                    f"{source.name} does not know the language {item.language!r}",
                    where=item.where,
                    remedy=(
                        "write Whisper's code for it (such as en, no, jw), choose a checkpoint that knows it "
                        "(--whisperq-model), or leave it empty and the model detects it"
                    ),
                )
    return corpus
