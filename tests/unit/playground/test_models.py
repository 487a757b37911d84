"""Two models that are loaded once, and of which one computes at a time."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from tone_model import NAMES, hear, install, say

from pytest_whisperq.backends import Clip, Hypothesis
from pytest_whisperq.backends.scripted import ScriptedBackend, ScriptedTranscriber
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.gates.streams import Streams
from pytest_whisperq.playground.models import Models
from pytest_whisperq.system.errors import ConfigError, CorpusError, MissingDependency

StartRun = Callable[..., GateRunner]


def test_both_say_what_they_hear_and_what_executes(start_run: StartRun, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, misheard={"bravo": "brava"}, operations="3 of 4 in int8")
    models = Models(start_run().session)
    original, candidate = models.hear(say(NAMES[:3]).astype(np.float32), None)
    assert (original.text, candidate.text) == ("alpha bravo charlie", "alpha brava charlie")
    assert [str(model.spec) for model in models.both] == ["scripted:float32", "scripted:int8"]
    assert [model.transcriber.compute_type for model in models.both] == ["float32", "int8"]
    assert models.both[1].operations == "3 of 4 in int8"
    assert original.language == "en"
    assert original.seconds == pytest.approx(1.8)
    assert original.speed == pytest.approx(original.seconds / original.took)


def test_one_computes_at_a_time_and_each_is_loaded_once(start_run: StartRun, monkeypatch: pytest.MonkeyPatch) -> None:
    busy, loads = [0], []

    def transcribe(transcriber: ScriptedTranscriber, clips: Sequence[Clip]) -> list[Hypothesis]:
        busy[0] += 1
        time.sleep(0.002)
        assert busy[0] == 1
        busy[0] -= 1
        return [Hypothesis(text=" ".join(word.text for word in hear(clip.samples))) for clip in clips]

    install(monkeypatch, transcribe=transcribe)
    load = ScriptedBackend.load
    monkeypatch.setattr(ScriptedBackend, "load", lambda *args: loads.append(args[1]) or load(*args))
    models = Models(start_run().session)
    results: list[Any] = []
    sounds = [say([name]).astype(np.float32) for name in NAMES]
    threads = [
        threading.Thread(target=lambda sound=sound: results.append(models.hear(sound, None)[0].text))
        for sound in sounds
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == NAMES
    assert sorted(loads) == ["float32", "int8"]


def test_what_cannot_be_heard_is_refused(start_run: StartRun, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    models = Models(start_run().session)
    with pytest.raises(CorpusError, match="contains no samples"):
        models.hear(np.zeros(0, np.float32), None)
    with pytest.raises(ConfigError, match="scripted hears 30 s and no more"):
        models.hear(np.zeros(31 * 16_000, np.float32), None)
    with pytest.raises(ConfigError, match="names scripted:int8, scripted:int4-sym, where one is compared"):
        Models(start_run(candidate="scripted:int8,scripted:int4-sym").session)


def test_silence_is_heard_as_nothing(start_run: StartRun, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    heard = Models(start_run().session).hear(np.zeros(16_000, np.float32), None)
    assert [one.text for one in heard] == ["", ""]
    assert all(np.isfinite([one.speed, one.took]).all() for one in heard)


def test_the_baseline_is_the_original_where_it_is_asked_for(
    start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    session = start_run(baseline="scripted:int4-sym", candidate="scripted:float32").session
    script = session.source.directory / "scripted.json"
    script.write_text(script.read_text().replace('{"float32"', '{"int4-sym": {}, "float32"'))
    assert str(Models(session).both[0].spec) == "scripted:int4-sym"  # float32 has no other original
    session = start_run(baseline="scripted:int4-sym").session
    assert str(Models(session).both[0].spec) == "scripted:float32"
    assert str(Models(session, against_baseline=True).both[0].spec) == "scripted:int4-sym"


def test_where_nothing_aligns_only_whole_recordings_are_heard(
    start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listener(*_: Any) -> Any:
        raise MissingDependency("ctranslate2 is not installed", remedy="run: pip install")

    install(monkeypatch)
    monkeypatch.setattr(Streams, "listener", listener)
    models = Models(start_run().session)
    assert models.unstreamed == "ctranslate2 is not installed; run: pip install"
    assert models.hear(say(NAMES[:1]).astype(np.float32), None)[0].text == "alpha"
