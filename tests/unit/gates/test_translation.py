"""The translation gate, on scripted models: losses, flips, and what it cannot judge."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.gates.translation import GATE
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.system.errors import ConfigError, CorpusError

pytest.importorskip("sacrebleu")

SPANISH = "lunes tres de abril y el {} de mayo".format
ENGLISH = "monday the third of april and the {} of may".format
NUMBERS = ["first", "second", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"] * 6
Judge = Callable[..., Outcome]


@pytest.fixture
def judge(tmp_path: Path, make_corpus: Callable[..., Path], start_run: Callable[..., GateRunner]) -> Judge:
    """Judge what scripted models say in English about sixty Spanish sentences, and about one in English."""

    def run(
        candidate: Callable[[int, str], str],
        baseline: Callable[[int, str], str] = lambda _, text: text,
        **limits: object,
    ) -> Outcome:
        spanish = [*(SPANISH(number) for number in NUMBERS), "hello there"]
        english = [*(ENGLISH(number) for number in NUMBERS), ""]
        columns = {"language": [*["es"] * 60, "en"], "translation": english}
        corpus = make_corpus(tmp_path / "corpus", spanish, columns)
        digests = [audio.pcm_digest(audio.load(item.audio)) for item in load_corpus(corpus).utterances]
        script = {
            precision: {
                **dict(zip(digests, spanish, strict=True)),
                "translations": {d: say(n, text) for n, (d, text) in enumerate(zip(digests, english, strict=True))},
            }
            for precision, say in (("float32", baseline), ("int8", candidate))
        }
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "scripted.json").write_text(json.dumps(script), encoding="utf-8")
        session = start_run()
        return session.judge("translation", session.config.candidates[0], **limits)

    return run


def transcribes(number: int, text: str) -> str:
    return SPANISH(NUMBERS[number]) if number < 20 else text


@pytest.mark.parametrize("metric", ["chrf", "bleu"])
def test_the_same_translations_pass_and_worse_ones_fail(judge: Judge, metric: str) -> None:
    outcome = judge(lambda _, text: text, metric=metric, max_drop=5)
    (check,) = outcome.judgement.checks
    assert (check.verdict, check.value, check.unit) == (Verdict.PASS, 0.0, "points")
    assert outcome.judgement.utterances == 60
    assert "1 of 61 utterances are left out: in English, or without a translation" in outcome.judgement.notes


def test_words_that_are_lost_fail_and_are_shown(judge: Judge) -> None:
    outcome = judge(lambda n, text: text.replace("april", "june").replace("third", "x") if n % 2 else text)
    (check,) = outcome.judgement.checks
    assert check.verdict is Verdict.FAIL
    assert outcome.worst
    assert outcome.worst[0].rows[0][1].split()[0] == "monday"
    figures = {one.name: (one.baseline, one.value) for one in outcome.judgement.figures}
    assert figures["chrF"][0] == pytest.approx(100)
    assert figures["new task flips"] == (None, 0.0)


def test_a_candidate_that_transcribes_instead_is_caught_and_counted(judge: Judge) -> None:
    outcome = judge(transcribes, max_drop=90, max_flips=0.05)
    drop, flips = outcome.judgement.checks
    assert drop.verdict is Verdict.PASS
    assert (flips.name, flips.verdict, flips.value) == ("new task flips", Verdict.FAIL, pytest.approx(20 / 60))


def test_a_baseline_that_does_not_translate_proves_nothing(judge: Judge) -> None:
    outcome = judge(
        lambda n, _: SPANISH(NUMBERS[n]) if n < 60 else "",
        lambda n, _: SPANISH(NUMBERS[n]) if n < 60 else "",
        max_drop=5,
    )
    (check,) = outcome.judgement.checks
    assert check.verdict is Verdict.INCONCLUSIVE
    assert "it does not translate this corpus" in check.reason


def test_a_corpus_without_translations_is_one_error(start_run: Callable[..., GateRunner]) -> None:
    run = start_run()
    with pytest.raises(CorpusError, match="corpus: has no translations; add a column translation"):
        run.judge("translation", run.config.candidates[0])


def test_an_english_only_model_is_one_error(
    start_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_whisperq.session.is_multilingual", lambda source: False)
    run = start_run()
    with pytest.raises(ConfigError, match=r"whisperq_translation: .*model is English-only and translates nothing"):
        run.judge("translation", run.config.candidates[0])


def test_keywords_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="metric must be one of 'chrf', 'bleu'"):
        GATE.check({"metric": "comet"}, "test")
