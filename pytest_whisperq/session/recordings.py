"""The recordings of a run: which are evaluated, which are calibrated on, and how their texts are read."""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property

from pytest_whisperq.backends import Calibration
from pytest_whisperq.config.candidates import is_by_block, is_calibrated
from pytest_whisperq.config.choices import Metric
from pytest_whisperq.config.settings import GateConfig
from pytest_whisperq.decoding.decoder import Progress
from pytest_whisperq.measuring.calibrated import measure_on
from pytest_whisperq.measuring.intervals import judged_by_rows, only_these
from pytest_whisperq.measuring.metric import choose_metric
from pytest_whisperq.measuring.pairs import wordless_as_nonspeech
from pytest_whisperq.measuring.recording import doubt_lines
from pytest_whisperq.models.calibration import (
    SAMPLES,
    load_calibration_set,
    make_calibration,
    refuse_overlap,
    refuse_same_files,
    set_aside,
    takes_embedded,
    without,
)
from pytest_whisperq.models.languages import hearable
from pytest_whisperq.models.source import SourceModel
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.clip_index import CLIP_FACTS, AudioIndex, ClipFacts
from pytest_whisperq.speech.corpus import EMBEDDED, Corpus, Utterance, load_corpus, only_categories, subset
from pytest_whisperq.speech.corpus.drafts import refuse_drafts
from pytest_whisperq.speech.corpus.longform import OPTION as LONG_FORM_OPTION
from pytest_whisperq.speech.corpus.longform import load_long_form
from pytest_whisperq.speech.corpus.shards import deal_out
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.speech.substitutions import Substitutions, read_substitutions
from pytest_whisperq.system.errors import ConfigError, CorpusError
from pytest_whisperq.system.keys import Keys, key_of
from pytest_whisperq.system.on_disk import Made, choose, keep_by_name


class Recordings:
    """The corpus of a run and what is set aside of it, the long recordings and the calibration set.

    Each is read on first use and kept. No recording is both evaluated and calibrated on.
    """

    def __init__(
        self,
        config: GateConfig,
        sources: Callable[[], tuple[SourceModel, SourceModel]],
        part: Callable[[Corpus], Corpus] | None,
        progress: Progress,
        on_repair: Callable[[str], None],
    ) -> None:
        """Read nothing yet; ``sources`` returns the checkpoints of candidates and baseline, ``part`` see `Session`."""
        self.config = config
        self._sources = sources
        self._part_of = part
        self._progress = progress
        self._on_repair = on_repair
        self._shares: dict[int, list[Corpus]] = {}

    @cached_property
    def _corpus_given(self) -> Corpus:
        """All of the corpus that the run's models can hear."""
        choices = replace(self.config.corpus_choices, hub_rows=self._hub_rows, hub_seed=self.config.seed)
        corpus = self._hearable(load_corpus(self.config.corpus, choices=choices))
        return only_categories(corpus) if self.config.redact else corpus

    @property
    def _hub_rows(self) -> int | None:
        """How many rows of a data set on the hub are enough; None where all may be wanted."""
        if not self.config.max_utterances or self.config.on_inconclusive == "extend":
            return None
        aside = (self.config.calibration_samples or SAMPLES) if self.needs_own_calibration else 0
        # Of what is there no more than half can be set aside, nor a third where nobody says how many: whole clusters.
        return max(self.config.max_utterances + 2 * aside, 3 * aside)

    @cached_property
    def set_aside(self) -> Corpus | None:
        """What of the corpus is calibrated on, and never evaluated on; None where a calibration set serves."""
        if not self.needs_own_calibration:
            return None
        return set_aside(self._corpus_given, self._calibration_size, self.config.seed)

    @property
    def _calibration_size(self) -> int:
        """How many utterances to calibrate on. A small corpus is wanted to evaluate on: a third of it at most."""
        spare = max(1, len(self._corpus_given.speech) // 3) if self.needs_own_calibration else SAMPLES
        return self.config.calibration_samples or min(SAMPLES, spare)

    @property
    def needs_own_calibration(self) -> bool:
        """Whether a model is calibrated for which no set was named, and the embedded one does not do."""
        return not (self.config.calibration or all(map(takes_embedded, self._calibrated_sources)))

    @cached_property
    def whole_corpus(self) -> Corpus:
        """All of the evaluation corpus: what the run's models can hear, less what is set aside.

        Raises `CorpusError` where the normalizer leaves no words of most transcripts.
        """
        rest = without(self._corpus_given, self.set_aside) if self.set_aside else self._corpus_given
        return wordless_as_nonspeech(rest, self._normalizer_of)

    def _normalizer_of(self, corpus: Corpus) -> Normalizer:
        return normalizers.get(normalizers.choose(self.config.normalizer, corpus), self.substitutions)

    @cached_property
    def _part(self) -> Corpus:
        """The whole corpus, reduced to ``max_utterances``."""
        return subset(self.whole_corpus, self.config.max_utterances, self.config.seed)

    @cached_property
    def copies(self) -> frozenset[str]:
        """The ids of utterances that are not evaluated, as copies of what is set aside."""
        if not self.set_aside:
            return frozenset()
        sounds = {fact.digest for fact in self.probe(self.set_aside).values()}
        return frozenset(name for name, fact in self._facts_of_part.items() if fact.digest in sounds)

    @cached_property
    def corpus(self) -> Corpus:
        """What is evaluated: the whole corpus, reduced to ``max_utterances``, less copies of what is set aside.

        Raises `CorpusError` where nothing is left.
        """
        if not self.copies:
            return self._part
        kept = self._part.where(lambda item: item.id not in self.copies)
        if not kept:
            raise CorpusError(
                "holds nothing but copies of what is set aside", where=self._part.name, remedy="add recordings"
            )
        return replace(self._part, utterances=kept)

    @cached_property
    def translated(self) -> Corpus:
        """What of the corpus has a translation to compare with; raises `CorpusError` where nothing has."""
        kept = self.corpus.where(lambda item: item.is_translated)
        if not kept:
            raise CorpusError(
                "has no translations",
                where=self.corpus.name,
                remedy="add a column translation with what is said in English (docs/corpus-layouts.md)",
            )
        return replace(self.corpus, utterances=kept)

    @cached_property
    def _facts_of_part(self) -> Mapping[str, ClipFacts]:
        return self.probe(self._part)

    @cached_property
    def facts(self) -> Mapping[str, ClipFacts]:
        """Digest and duration of every clip; obtaining them finds every broken recording."""
        if not self.copies:
            return self._facts_of_part
        return keep_by_name(((item.id, self._facts_of_part[item.id]) for item in self.corpus.utterances), CLIP_FACTS)

    @cached_property
    def doubts(self) -> list[str]:
        """What may be wrong with recordings and texts of the corpus, a line for each kind; first `only_these`."""
        return [
            *self.only_these,
            *self.corpus.told,
            *self.corpus.notes,
            *doubt_lines(self.corpus.utterances, self.facts),
        ]

    @property
    def only_these(self) -> list[str]:
        """Of whom alone bounds speak, in a line, where the corpus has too few clusters for others; else none."""
        return [only_these(self._few_clusters)] if self._few_clusters else []

    @cached_property
    def _few_clusters(self) -> int:
        """Of how many clusters alone bounds speak, which are then drawn by sounds; 0 where there are enough."""
        speech = self.corpus.speech
        sounds = Made(self._sound, speech)
        rows = ((item.cluster or sound, sound) for item, sound in zip(speech, sounds, strict=True))
        _, few = judged_by_rows(rows, Made(self._named, speech), sounds)
        return few

    def _sound(self, item: Utterance) -> str:
        return self.facts[item.id].digest

    def _named(self, item: Utterance) -> str:
        return item.cluster or self._sound(item)

    @cached_property
    def _cluster_of_sound(self) -> Mapping[str, str]:
        """The cluster of each sound that several utterances have: of theirs the first by name (`in_one_place`)."""
        several = Keys.of(fact.digest for fact in self.facts.values()).repeated()
        clusters: dict[str, str] = {}
        for item in self.corpus.utterances if several else ():
            sound, name = self._sound(item), self._named(item)
            if key_of(sound) in several:
                clusters[sound] = min(name, clusters.get(sound, name))
        return clusters

    def cluster(self, item: Utterance) -> str:
        """Return the group of an utterance of the corpus by which bounds are drawn (`intervals.judged_by`).

        Without a cluster of its own it is in that of clips with the very same sound.
        """
        if self._few_clusters and item.is_speech:
            return self._sound(item)
        if item.cluster and not self._cluster_of_sound:
            return item.cluster
        return self._cluster_of_sound.get(self._sound(item)) or self._named(item)

    def share(self, shard: int, shards: int) -> Corpus:
        """Return what of the corpus a shard of a run decodes, from 1 on: whole clusters, and equal sounds together.

        Raises `ConfigError` where there is nothing left for some shard.
        """
        if shards not in self._shares:
            self._shares[shards] = self._deal_out(shards)
        return self._shares[shards][shard - 1]

    def _deal_out(self, shards: int) -> list[Corpus]:
        items = self.corpus.utterances
        facts = [self.facts[item.id] for item in items]
        clusters = [self.cluster(item) for item in items]
        sounds, seconds = [fact.digest for fact in facts], [fact.seconds for fact in facts]
        shares = [array("I") for _ in range(shards)]
        for place, shard in enumerate(deal_out(clusters, sounds, seconds, shards, self.config.seed)):
            shares[shard - 1].append(place)
        if (used := sum(map(bool, shares))) < shards:
            raise ConfigError(
                f"{self.corpus.name} has parts for {used} shards at most, for clusters and equal sounds stay together",
                where="--whisperq-shard",
                remedy=f"run {used} or fewer",
            )
        return [replace(self.corpus, utterances=choose(items, share)) for share in shares]

    @cached_property
    def calibration_set(self) -> Corpus:
        """The recordings static quantization measures on, at most as many as are asked for.

        Raises `ConfigError` where they have to be named.
        """
        config = self.config
        if self.set_aside:
            chosen = replace(self.set_aside, utterances=self.set_aside.speech)
        elif config.calibration or all(map(takes_embedded, self._calibrated_sources or self._sources()[:1])):
            chosen = self._hearable(load_calibration_set(config.calibration or EMBEDDED, config.corpus_choices))
        else:
            raise ConfigError(
                f"name recordings to calibrate {self._sources()[0].name} on. Nothing of the corpus was set aside for "
                "it, for no candidate of this run is calibrated",
                where="--whisperq-calibration",
            )
        return subset(chosen, self._calibration_size, config.seed)

    def _hearable(self, corpus: Corpus) -> Corpus:
        if self._part_of:
            return self._part_of(corpus)
        refuse_drafts(corpus)
        return hearable(corpus, self._sources())

    @cached_property
    def calibration(self) -> Calibration:
        """What static quantization measures on; raises `CorpusError` if any of it is evaluated on."""
        chosen = self.calibration_set
        probed, speaks = self.probe(chosen), not self._sources()[0].is_random
        measure = measure_on(
            chosen.utterances,
            normalizer=self.normalizer,
            metric=self.metric,
            confidence=self.config.confidence,
            max_drop=self.config.max_drop,
        )
        return make_calibration(
            chosen, probed, self.facts, self.config.smooth_quant, speaks=speaks, measure=measure if speaks else None
        )

    @property
    def calibration_shortage(self) -> str:
        """How many clips were asked for, where the calibration set has fewer; "" where it has enough."""
        asked, there = self._calibration_size, len(self.calibration_set.utterances)
        return f"--whisperq-calibration-samples asks for {asked}, and it has no more" if there < asked else ""

    @property
    def calibrates(self) -> bool:
        """Whether any model of the run is built with a calibration set, or diagnosed on it."""
        return bool(self._calibrated_sources)

    @property
    def _calibrated_sources(self) -> list[SourceModel]:
        """The checkpoint of every model of the run that is built with a calibration set, or diagnosed on it."""
        source, of_baseline = self._sources()
        built = [one for one in self.config.candidates if not (one.missing or one.location)]
        diagnosed = {one for one in built if self.config.diagnose and is_by_block(one)}
        models = [(candidate, source) for candidate in built]
        models.append((self.config.baseline, of_baseline))
        return [source for model, source in models if model in diagnosed or is_calibrated(model)]

    def probe(self, corpus: Corpus) -> Mapping[str, ClipFacts]:
        """Return digest and duration of every clip of any recordings; raise `CorpusError` for one that is broken."""
        index = AudioIndex(self.config.cache_dir, self._on_repair)
        return index.probe(corpus, lambda done, total: self._progress("reading audio", done, total))

    @cached_property
    def substitutions(self) -> Substitutions | None:
        """What every text goes through before its normalizer; raises `ConfigError` for a file that is none."""
        return read_substitutions(self.config.substitutions) if self.config.substitutions else None

    @cached_property
    def normalizer(self) -> Normalizer:
        """The normalizer asked for, or the one for the languages of the whole corpus, however little of it is heard."""
        return self._normalizer_of(self.whole_corpus)

    @cached_property
    def long_normalizer(self) -> Normalizer:
        """The normalizer asked for, or the one for the languages of the long recordings."""
        return self._normalizer_of(self.long_form)

    @cached_property
    def metric(self) -> Metric:
        """What is counted where a gate does not say: what was asked for, or what suits the corpus's languages."""
        return self.config.metric or choose_metric(self.whole_corpus)

    @cached_property
    def long_form(self) -> Corpus:
        """The utterances with words of the long recordings, in their order.

        Raises `CorpusError` if any was calibrated on.
        """
        given = self._hearable(load_long_form(self.config.long_form, self.config.corpus_choices))
        corpus = wordless_as_nonspeech(given, self._normalizer_of)
        corpus = replace(corpus, utterances=corpus.speech)
        if self.calibrates:
            chosen = self.calibration_set
            refuse_overlap(chosen, self.probe(chosen), self.probe(corpus), LONG_FORM_OPTION)
            refuse_same_files(chosen, corpus, LONG_FORM_OPTION)
        return corpus
