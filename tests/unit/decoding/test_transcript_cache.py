"""Decoding: each clip once per model, whatever is killed, damaged or asked for again; never at another precision."""

import errno
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_whisperq.backends.scripted import ScriptedBackend, ScriptedTranscriber
from pytest_whisperq.decoding import transcript_cache, transcript_file
from pytest_whisperq.decoding.decoder import Decoder
from pytest_whisperq.decoding.transcript_cache import Known, TranscriptSet
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.models.store import ArtifactStore
from pytest_whisperq.session import silent
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.system.errors import ConfigError, DecodeError, StoreError

StartRun = Callable[..., GateRunner]
TEXTS = ("one", "two three", "four", "five six", "seven")


def candidate(run: GateRunner) -> TranscriptSet:
    return run.session.model(run.config.candidates[0]).transcripts


def cached(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "cache" / "transcripts").glob("*.jsonl")
    return path


def test_texts_come_in_the_order_of_the_corpus(start_run: StartRun, decoded: list[int]) -> None:
    found = candidate(start_run(decode_batch="2"))
    assert found.texts == TEXTS
    assert found.compute_type == "int8"
    assert str(found.spec) == "scripted:int8"
    assert decoded == [2, 2, 1]


def test_every_clip_is_decoded_once_however_often_asked(start_run: StartRun, decoded: list[int]) -> None:
    run = start_run()
    assert candidate(run) is candidate(run)
    assert candidate(start_run()) == candidate(run)  # another process
    assert sum(decoded) == 5


def test_a_warm_run_loads_no_model(start_run: StartRun, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = candidate(start_run())

    def load(*args: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(ScriptedBackend, "load", load)
    assert candidate(start_run()) == expected


def test_only_new_clips_are_decoded(
    tmp_path: Path, start_run: StartRun, make_corpus: Any, make_script: Any, decoded: list[int]
) -> None:
    make_script(
        tmp_path / "model", make_corpus(tmp_path / "corpus", [*TEXTS, "eight"]), {"float32": None, "int8": None}
    )
    make_corpus(tmp_path / "corpus", TEXTS)
    assert candidate(start_run()).texts == TEXTS
    make_corpus(tmp_path / "corpus", [*TEXTS, "eight"])
    assert candidate(start_run()).texts == (*TEXTS, "eight")
    assert decoded == [5, 1]


def test_what_is_known_is_in_the_order_of_the_corpus_with_gaps(
    tmp_path: Path, start_run: StartRun, make_corpus: Any
) -> None:
    run = start_run()
    spec = run.session.spec(run.config.candidates[0])
    assert run.session.known(spec).is_empty
    said = candidate(run)
    assert run.session.known(spec) == start_run().session.known(spec) == Known.of(said)
    make_corpus(tmp_path / "corpus", [*TEXTS, "eight"])
    known = start_run().session.known(spec)
    assert (known.texts, known.languages) == ((*TEXTS, None), (*said.languages, None))
    assert not known.is_empty


def test_the_same_recording_twice_is_decoded_once(
    tmp_path: Path, start_run: StartRun, make_corpus: Any, decoded: list[int]
) -> None:
    folder = make_corpus(tmp_path / "corpus", ["one", "two", "one"])
    (folder / "clip0002.wav").write_bytes((folder / "clip0000.wav").read_bytes())
    assert candidate(start_run()).texts == ("one", "two", "one")
    assert decoded == [2]


def test_the_language_a_model_is_told_is_part_of_the_question(
    tmp_path: Path, start_run: StartRun, make_corpus: Any, decoded: list[int]
) -> None:
    for language in ("en", "de", "de-AT"):
        make_corpus(tmp_path / "corpus", ["one", "two"], {"language": ["en", language]})
        candidate(start_run())
    assert decoded == [2, 1]


def test_a_translation_is_another_question_and_transcripts_stay_what_they_are(
    tmp_path: Path, start_run: StartRun, make_corpus: Any, decoded: list[int]
) -> None:
    corpus = make_corpus(tmp_path / "corpus", ["uno", "dos"], {"language": ["es", "es"], "translation": ["one", ""]})
    (digest, *_) = [audio.pcm_digest(audio.load(item.audio)) for item in load_corpus(corpus).utterances]
    (tmp_path / "model").mkdir()
    texts = {audio.pcm_digest(audio.load(item.audio)): item.reference for item in load_corpus(corpus).utterances}
    script = {"float32": texts, "int8": {**texts, "translations": {digest: "won"}}}
    (tmp_path / "model" / "scripted.json").write_text(json.dumps(script), encoding="utf-8")
    run = start_run()
    spec = run.session.spec(run.config.candidates[0])
    assert run.session.transcripts(spec).texts == ("uno", "dos")
    before = cached(tmp_path)
    assert run.session.transcripts(spec, "translate").texts == ("won",)
    assert run.session.transcripts(spec).texts == ("uno", "dos")
    files = set((tmp_path / "cache" / "transcripts").glob("*.jsonl"))
    tasks = {path: json.loads(path.read_text(encoding="utf-8").splitlines()[0])["task"] for path in files}
    assert tasks.pop(before) == "transcribe"
    assert list(tasks.values()) == ["translate"]
    again = start_run().session
    assert again.transcripts(spec, "translate").texts == ("won",)
    assert decoded == [2]  # what was transcribed; the translation was asked for once, as the next lines show
    (path,) = tasks
    assert path.read_text(encoding="utf-8").count('"clip"') == 1


def test_the_key_of_transcripts_is_what_it_was_before_there_were_tasks(
    start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_run()
    spec = run.session.spec(run.config.candidates[0])
    hashed = list[str]()
    real = json.dumps

    def dumps(value: Any, **options: Any) -> str:
        hashed.append(real(value, **options))
        return hashed[-1]

    monkeypatch.setattr(transcript_cache, "json", SimpleNamespace(dumps=dumps))
    cache = run.session._transcripts
    cache._path(spec, "weights")
    cache._path(spec, "weights", "translate")
    recipe, translated = map(json.loads, hashed)
    assert recipe[5] == {
        "task": "transcribe",
        "beam_size": 1,
        "timestamps": False,
        "max_new_tokens": 224,
        "revision": 5,
    }
    assert translated[5] == {**recipe[5], "task": "translate"}
    assert [*translated[:5], *translated[6:]] == [*recipe[:5], *recipe[6:]]


def test_a_backend_that_does_not_translate_is_one_error(
    tmp_path: Path, start_run: StartRun, make_corpus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_corpus(tmp_path / "corpus", ["uno", "dos"], {"language": ["es", "es"], "translation": ["one", "two"]})
    load = ScriptedBackend.load

    class Transcribing:
        compute_type = "int8"

        def __init__(self, *loaded: Any) -> None:
            self.transcribe = load(*loaded).transcribe

    monkeypatch.setattr(ScriptedBackend, "load", lambda *loaded: Transcribing(*loaded))
    run = start_run()
    spec = run.session.spec(run.config.candidates[0])
    with pytest.raises(ConfigError, match="whisperq_translation: scripted does not translate; gate another backend"):
        run.session.transcripts(spec, "translate")
    assert run.session.transcripts(spec).texts == ("uno", "dos")


def test_another_decoder_version_decodes_again(
    start_run: StartRun, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate(start_run())
    monkeypatch.setattr(transcript_cache, "described", lambda device: "another processor")
    candidate(start_run())
    monkeypatch.setattr(transcript_cache, "DECODING", {**transcript_cache.DECODING, "beam_size": 5})
    candidate(start_run())
    assert sum(decoded) == 15


def test_a_killed_run_resumes_behind_the_line_that_was_cut(
    tmp_path: Path, start_run: StartRun, decoded: list[int]
) -> None:
    expected = candidate(start_run(decode_batch="1"))
    lines = cached(tmp_path).read_text(encoding="utf-8").splitlines(keepends=True)
    cached(tmp_path).write_text("".join(lines[:4]) + lines[4][:20], encoding="utf-8")  # header, three clips, a stump
    decoded.clear()
    assert candidate(start_run(decode_batch="1")) == expected
    assert decoded == [1, 1]
    assert candidate(start_run()) == expected
    assert decoded == [1, 1]


def test_a_batch_is_on_disk_before_the_next_one_starts(
    tmp_path: Path, start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[int] = []
    play = ScriptedTranscriber.transcribe

    def watched(self: ScriptedTranscriber, clips: list[Any]) -> list[Any]:
        lines.append(cached(tmp_path).read_text(encoding="utf-8").count('"clip"'))
        return play(self, clips)

    monkeypatch.setattr(ScriptedTranscriber, "transcribe", watched)
    candidate(start_run(decode_batch="2"))
    assert lines == [0, 2, 4]


@pytest.mark.parametrize("junk", ["12", "null", "[]", '"clip"', '{"clip": "x"}', "{}", "\0\0\0\0", "[" * 100_000])
def test_lines_of_junk_are_passed_over(tmp_path: Path, start_run: StartRun, decoded: list[int], junk: str) -> None:
    expected = candidate(start_run())
    with cached(tmp_path).open("a", encoding="utf-8") as file:
        file.write(f"{junk}\n")
    assert candidate(start_run()) == expected
    assert sum(decoded) == 5


def test_a_flipped_bit_is_decoded_again_and_said(tmp_path: Path, start_run: StartRun, decoded: list[int]) -> None:
    """Once, "india" came back as "hndia" and moved the drop by two points."""
    expected = candidate(start_run())
    sound = cached(tmp_path).read_bytes()
    cached(tmp_path).write_bytes(sound.replace(b'"five six"', b'"five siy"'))
    run = start_run()
    assert candidate(run) == expected
    assert decoded == [5, 1]
    assert run.session.repairs == ["transcripts of scripted:int8 in the cache: 1 of 6 lines damaged; decoded again"]
    assert sorted(cached(tmp_path).read_bytes().splitlines()) == sorted(sound.splitlines())
    assert start_run().session.repairs == []


def test_a_line_without_a_digest_as_they_once_were_is_never_read(
    tmp_path: Path, start_run: StartRun, decoded: list[int]
) -> None:
    expected = candidate(start_run())
    lines = cached(tmp_path).read_text(encoding="utf-8").splitlines()
    without = [json.loads(line) for line in lines]
    for record in without:
        del record["sha256"]
    cached(tmp_path).write_text("".join(f"{json.dumps(record)}\n" for record in without), encoding="utf-8")
    assert candidate(start_run()) == expected
    assert decoded == [5, 5]


def test_a_killed_run_is_no_damage(tmp_path: Path, start_run: StartRun) -> None:
    candidate(start_run())
    cached(tmp_path).write_bytes(cached(tmp_path).read_bytes()[:-10])
    run = start_run()
    candidate(run)
    assert run.session.repairs == []


def test_texts_whose_first_line_is_lost_never_get_another_compute_type(
    tmp_path: Path, start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file then begins anew: what executed for lines that are kept is not known."""
    candidate(start_run())
    cached(tmp_path).write_bytes(cached(tmp_path).read_bytes().replace(b'"int8"', b'"intX"', 1))
    start = ScriptedTranscriber.__init__
    with monkeypatch.context() as patch:
        patch.setattr(ScriptedTranscriber, "__init__", lambda self, texts, kind: start(self, texts, "float32"))
        assert candidate(start_run(max_utterances="2", allow_fallback="true")).fell_back
    assert cached(tmp_path).read_text(encoding="utf-8").count('"clip"') == 2


def test_transcripts_without_their_compute_type_are_not_believed(
    tmp_path: Path, start_run: StartRun, decoded: list[int]
) -> None:
    expected = candidate(start_run())
    header, *rest = cached(tmp_path).read_text(encoding="utf-8").splitlines()
    assert json.loads(header)["compute_type"] == "int8"
    cached(tmp_path).write_text("\n".join([header[:10], *rest]), encoding="utf-8")
    assert candidate(start_run()) == expected
    assert decoded == [5, 5]


def test_rotten_weights_are_rebuilt_before_they_decode(tmp_path: Path, start_run: StartRun, decoded: list[int]) -> None:
    run = start_run()
    weights = run.session.model(run.config.candidates[0]).artifact.directory / "scripted.json"
    sound = weights.read_bytes()
    weights.write_bytes(sound.replace(b"seven", b"SEVEN"))
    assert candidate(run).texts == TEXTS
    assert weights.read_bytes() == sound


def test_another_executed_compute_type_is_an_error_and_caches_nothing(
    tmp_path: Path, start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    fallback = ScriptedTranscriber({}, "float32")
    monkeypatch.setattr(ScriptedBackend, "load", lambda *args: fallback)
    with pytest.raises(DecodeError, match="scripted:int8 was asked for but 'float32' executes here, not 'int8'"):
        candidate(start_run())
    assert not list((tmp_path / "cache" / "transcripts").glob("*.jsonl"))


@pytest.fixture
def falling_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that executes scripted int8 as float32."""
    load = ScriptedBackend.load

    def fallback(self: ScriptedBackend, precision: str, directory: Path, threads: int) -> ScriptedTranscriber:
        transcriber = load(self, precision, directory, threads)
        transcriber.compute_type = "float32"
        return transcriber

    monkeypatch.setattr(ScriptedBackend, "load", fallback)


@pytest.mark.usefixtures("falling_back")
def test_an_allowed_fallback_is_shown_as_one(start_run: StartRun) -> None:
    found = candidate(start_run(allow_fallback="true"))
    assert (found.compute_type, found.fell_back) == ("float32", True)
    assert found.texts == TEXTS


@pytest.mark.usefixtures("falling_back")
def test_transcripts_of_a_fallback_are_no_way_around_the_error(start_run: StartRun, decoded: list[int]) -> None:
    candidate(start_run(allow_fallback="true"))
    with pytest.raises(DecodeError, match=r"'float32' executes here, not 'int8'.*--whisperq-allow-fallback"):
        candidate(start_run())
    assert sum(decoded) == 5


def test_texts_of_two_compute_types_never_share_a_file(
    tmp_path: Path, start_run: StartRun, make_corpus: Any, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same runtime on the same machine may be told otherwise by its environment."""
    start = ScriptedTranscriber.__init__
    with monkeypatch.context() as patch:
        patch.setattr(ScriptedTranscriber, "__init__", lambda self, texts, kind: start(self, texts, "float32"))
        assert candidate(start_run(max_utterances="2", allow_fallback="true")).fell_back
    found = candidate(start_run())
    assert (found.compute_type, found.texts) == ("int8", TEXTS)
    assert decoded == [2, 5]


def test_what_the_runtime_says_of_its_operations_is_kept(start_run: StartRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedTranscriber, "operations", "3 of 4 in int8", raising=False)
    assert candidate(start_run()).operations == "3 of 4 in int8"
    monkeypatch.undo()
    assert candidate(start_run()).operations == "3 of 4 in int8"  # from the cache
    assert not candidate(start_run()).fell_back


def test_a_model_that_cannot_be_loaded_is_named(start_run: StartRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*args: object) -> None:
        raise RuntimeError("unsupported opset")

    monkeypatch.setattr(ScriptedBackend, "load", load)
    with pytest.raises(DecodeError, match="scripted:int8 was built but cannot be loaded: unsupported opset"):
        candidate(start_run())


def test_a_model_that_fails_is_named_with_the_clip_and_earlier_batches_are_kept(
    tmp_path: Path, start_run: StartRun, make_corpus: Any, make_script: Any, decoded: list[int]
) -> None:
    corpus = make_corpus(tmp_path / "corpus", TEXTS)
    make_script(tmp_path / "model", corpus, {"float32": None, "int8": ["one", "two three", None, "x", "y"]})
    with pytest.raises(DecodeError, match=r"scripted:int8 at .*metadata\.csv:4: the script has no text"):
        candidate(start_run(decode_batch="1"))
    with pytest.raises(DecodeError):
        candidate(start_run(decode_batch="1"))
    assert decoded == [1, 1, 1, 1]


def test_a_crash_of_the_runtime_names_the_batch(start_run: StartRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*args: object) -> None:
        raise MemoryError("out of memory")

    monkeypatch.setattr(ScriptedTranscriber, "transcribe", crash)
    with pytest.raises(
        DecodeError, match=r"scripted:int8 failed on a batch of 5 clips \(clip0000\.wav, .*out of memory"
    ):
        candidate(start_run())


def test_a_full_disk_is_a_store_error(tmp_path: Path, start_run: StartRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(records: object, name: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transcript_file, "sealed", full)
    with pytest.raises(StoreError, match=f"{tmp_path / 'cache'}: No space left on device.*--whisperq-cache-dir"):
        candidate(start_run())


def test_progress_counts_clips_that_are_really_decoded(start_run: StartRun) -> None:
    seen: list[tuple[str, int, int]] = []
    candidate(start_run(lambda *step: seen.append(step), decode_batch="2"))
    assert [step for step in seen if "decodes" in step[0]] == [
        ("scripted:int8 decodes", 2, 5),
        ("scripted:int8 decodes", 4, 5),
        ("scripted:int8 decodes", 5, 5),
    ]
    seen.clear()
    candidate(start_run(lambda *step: seen.append(step)))
    assert seen == []


def test_torch_has_one_thread_beside_a_runtime_that_computes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(set_num_threads=told.append))
    decoder = Decoder(ArtifactStore(Path("unused"), print, print), threads=3, batch=1, progress=silent)
    decoder.settle(SimpleNamespace(torch_threads=1))
    decoder.settle(SimpleNamespace())
    assert told == [1, 3]


def test_two_precisions_that_run_the_same_weights_in_the_same_type_are_decoded_once(
    start_run: StartRun,
    decoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    make_script: Callable[..., Path],
) -> None:
    start_run()  # makes the corpus
    make_script(tmp_path / "model", tmp_path / "corpus", {"float32": None, "int8": None, "int4-sym": None})
    for alike, times in (("int8", 1), ("int4", 2)):  # the scripted backend stores the same file at any precision
        names = {"float32": "float32", "int8": "int8", "int4-sym": alike}
        monkeypatch.setattr(ScriptedBackend, "precisions", names)
        run = start_run(candidate="scripted:int8,scripted:int4-sym", cache_dir=str(tmp_path / alike))
        decoded.clear()
        first, second = (run.session.transcripts(run.session.spec(one)) for one in run.config.candidates)
        assert first.texts == second.texts == TEXTS
        assert sum(decoded) == 5 * times
