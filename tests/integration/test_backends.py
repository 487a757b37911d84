"""Every backend and precision really builds, runs what it promises, and transcribes the embedded recordings."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pairs import matrix, on_embedded
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_info, threadpool_limits

from pytest_whisperq.backends import BUILT_IN, Clip, _openvino_graph, get_backend
from pytest_whisperq.backends._whisper import MAX_NEW_TOKENS, FrontEnd, quiet_libraries
from pytest_whisperq.commands.sweep import sweep
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.measuring.scores import count_errors, error_rate
from pytest_whisperq.speech import audio
from pytest_whisperq.system import package_data
from pytest_whisperq.system.errors import BuildError, DecodeError

EXECUTED = [
    f"{name}:{precision}"
    for name in on_embedded()
    for precision in get_backend(name).precisions
    if precision not in {*get_backend(name).falls_back(), *get_backend(name).by_name}
]
EXECUTED += ["faster-whisper-batched:int8", "openvino-stateless:float32", "openvino-stateless:int8"]
EXECUTED += ["openvino-genai:float32", "openvino-genai:int8", "openvino-genai:int8-ptq"]
EXECUTED += ["openvino:vq2x256", "openvino:vq2x16", "openvino:codebook", "openvino-stateless:vq2x256"]
EXECUTED += ["transformers:sim-int4", "transformers:sim-ternary", "transformers:sim-int6-channel"]
FALLING_BACK = [f"{name}:{precision}" for name in on_embedded() for precision in get_backend(name).falls_back()]
OFTEN_FALLING_BACK = {"ctranslate2:float16", "openvino:float16"} & set(FALLING_BACK)  # newer processors have the latter
OFTEN = (
    *("transformers:float32", "transformers:int8-dynamic", "ctranslate2:int8", "faster-whisper:int8"),
    *("openvino:int8", "openvino:int8-ptq", "transformers:sim-int4"),
)
TIMED = [name for name in on_embedded(BUILT_IN) if name not in ("scripted", "openvino-stateless")]
CATASTROPHIC = {"openvino:int2-sym", "openvino:vq2x16", "transformers:sim-ternary"}
"""Two bits and fewer break a model this small: the damage a gate has to see."""


@pytest.mark.parametrize("pair", matrix(EXECUTED, *OFTEN))
def test_it_executes_what_its_precision_promises_and_transcribes_speech(
    gate_run: Callable[..., GateRunner], pair: str
) -> None:
    clips = "6" if pair == "openvino:int8-ptq-mixed" else "4"  # fewer than five bound nothing
    run = gate_run(candidate=pair, max_utterances="8", calibration_samples=clips)
    candidate = run.config.candidates[0]
    model = run.session.model(candidate)
    assert model.transcripts.compute_type == get_backend(candidate.backend).precisions[candidate.precision]
    assert not model.transcripts.fell_back
    assert model.artifact.build_seconds > 0
    texts = run.session.texts(candidate)
    rate = error_rate([count_errors(item.reference, item.candidate) for item in texts.pairs])
    assert rate is not None
    # Hearing nothing scores 1; how good the model is stands in its card, not here.
    assert (rate > 0.5) if pair in CATASTROPHIC else (rate < 0.5)


@pytest.mark.parametrize("pair", matrix(FALLING_BACK, *OFTEN_FALLING_BACK))
def test_a_precision_this_machine_lacks_is_an_error_unless_the_fallback_is_allowed(
    gate_run: Callable[..., GateRunner], pair: str
) -> None:
    with pytest.raises(DecodeError, match=f"{pair} was asked for but '.*' executes here"):
        _ = gate_run(candidate=pair).session.model(gate_run(candidate=pair).config.candidates[0]).transcripts
    run = gate_run(candidate=pair, allow_fallback="true", max_utterances="4")
    assert run.session.model(run.config.candidates[0]).transcripts.fell_back


def test_calibrated_int8_multiplies_in_8_bits_and_weight_only_int8_does_not(
    gate_run: Callable[..., GateRunner],
) -> None:
    run = gate_run(candidate="openvino:int8-ptq,openvino:int8", max_utterances="8")
    calibrated, weights = (run.session.model(candidate).transcripts.operations for candidate in run.config.candidates)
    counts = [
        [int(number) for number in re.findall(r"(\d+) of \d+ matrix layers", text)] for text in (calibrated, weights)
    ]
    assert min(counts[0]) > 5
    assert counts[1] == [0, 0]
    assert weights.endswith("DYNAMIC_QUANTIZATION_GROUP_SIZE 0, KV_CACHE_PRECISION f32")


def test_models_of_two_processes_are_not_bound_to_one_core(gate_run: Callable[..., GateRunner]) -> None:
    run = gate_run(candidate="openvino:float32")
    loaded: Any = run.session.decoder.load(run.session.store.get(run.session.spec(run.config.candidates[0])))
    compiled = loaded._model.encoder.request
    assert compiled.get_property("ENABLE_CPU_PINNING") is False


def test_a_runtime_that_does_not_keep_to_what_it_was_told_is_refused(
    gate_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = gate_run(candidate="openvino:float32")
    artifact = run.session.model(run.config.candidates[0]).artifact
    read_back = _openvino_graph.read_back
    other = {"KV_CACHE_PRECISION": "u8"}
    monkeypatch.setattr(_openvino_graph, "read_back", lambda model, pinned: read_back(model, {**pinned, **other}))
    with pytest.raises(DecodeError, match="OpenVINO was told KV_CACHE_PRECISION=u8 and executes f32"):
        run.session.decoder.load(artifact)


@pytest.mark.matrix
def test_a_text_does_not_depend_on_its_neighbours(gate_run: Callable[..., GateRunner]) -> None:
    """Dynamic int8 scales activations by the whole batch, so its clips have to be decoded alone."""
    run = gate_run(candidate="transformers:int8-dynamic")
    artifact = run.session.model(run.config.candidates[0]).artifact
    transcriber = get_backend("transformers").load("int8-dynamic", artifact.directory, 1)
    clips = [Clip(samples=audio.load(item.audio), language=item.language) for item in run.session.corpus.speech[:12]]
    together = [found.text for found in transcriber.transcribe(clips)]
    assert together == [transcriber.transcribe([clip])[0].text for clip in clips]


@pytest.mark.parametrize("backend", matrix(TIMED, "ctranslate2"))
def test_a_model_bent_on_timestamps_says_its_text_without_them(
    backend: str, gate_run: Callable[..., GateRunner], bent: Path
) -> None:
    """Each runtime would take a timestamp that nobody asked for in its own way, transformers for an order to go on."""
    options = {"candidate": f"{backend}:float32", "max_utterances": "8"}
    healthy, run = gate_run(**options), gate_run(**options, model=str(bent))
    (candidate,) = run.config.candidates
    assert run.session.model(candidate).transcripts.texts == healthy.session.model(candidate).transcripts.texts


@pytest.fixture(scope="module")
def bent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model, but wherever it would end its text it says a timestamp first."""
    directory = tmp_path_factory.mktemp("bent") / "model"
    shutil.copytree(package_data.model_directory(), directory)
    weights = load_file(directory / "model.safetensors")
    ids = json.loads((directory / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    known = {token["content"]: token["id"] for token in ids}
    rows = weights["model.decoder.embed_tokens.weight"]
    rows[known["<|1.00|>"]] = 1.5 * rows[known["<|endoftext|>"]]
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


@pytest.mark.matrix
@pytest.mark.parametrize("language", ["en", None])
def test_faster_whisper_encodes_a_clip_once_and_says_what_its_own_transcribe_says(
    gate_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch, language: str | None
) -> None:
    run = gate_run(candidate="faster-whisper:int8")
    artifact = run.session.model(run.config.candidates[0]).artifact
    transcriber: Any = get_backend("faster-whisper").load("int8", artifact.directory, 1)
    chosen = [audio.load(item.audio) for item in run.session.corpus.speech[:6]]
    model, calls = transcriber._model, list[Any]()
    encode = model.encode
    for samples in (*chosen, np.zeros(0, np.float32)):
        options = {**transcriber._repeatable, "suppress_tokens": [*transcriber._suppressed, *transcriber._timestamps]}
        found, _ = model.transcribe(samples, language=language, beam_size=1, without_timestamps=True, **options)
        own = " ".join(part.text.strip() for part in found)
        monkeypatch.setattr(model, "encode", lambda features: calls.append(encode(features)) or calls[-1])
        (said,) = transcriber.transcribe([Clip(samples=samples, language=language)])
        monkeypatch.undo()
        assert said.text == own.strip()
        assert said.language == (model.detect_language(samples)[0] if len(samples) else said.language)
    assert len(calls) == 7


def test_faster_whisper_keeps_numpys_threads_off_the_encoders_processors(
    gate_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = gate_run(candidate="faster-whisper:int8")
    artifact = run.session.model(run.config.candidates[0]).artifact
    transcriber: Any = get_backend("faster-whisper").load("int8", artifact.directory, 1)
    encode, seen = transcriber._model.encode, set[int]()

    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    def watched(features: Any) -> Any:
        seen.update(threads())
        return encode(features)

    monkeypatch.setattr(transcriber._model, "encode", watched)
    clip = Clip(samples=audio.load(run.session.corpus.speech[0].audio), language="en")
    with threadpool_limits(2, user_api="blas"):
        transcriber.transcribe([clip])
        transcriber.transcribe_words(clip)
        assert seen == {1}
        assert threads() == {2}  # other tests of the same process have theirs back


def test_faster_whisper_may_say_as_much_as_the_others(gate_run: Callable[..., GateRunner]) -> None:
    run = gate_run(candidate="faster-whisper:float32")
    artifact = run.session.model(run.config.candidates[0]).artifact
    transcriber: Any = get_backend("faster-whisper").load("float32", artifact.directory, 1)
    limits: list[int] = []

    class Spy:
        def __init__(self, model: Any) -> None:
            self._model = model

        def __getattr__(self, name: str) -> Any:
            return getattr(self._model, name)

        def generate(self, *arguments: Any, **options: Any) -> Any:
            limits.append(options["max_length"])
            return self._model.generate(*arguments, **options)

    transcriber._model.model = Spy(transcriber._model.model)
    item = run.session.corpus.speech[0]
    transcriber.transcribe([Clip(samples=audio.load(item.audio), language=item.language)])
    assert limits == [2 * MAX_NEW_TOKENS]  # CTranslate2 generates half of it


@pytest.mark.matrix
def test_another_calibration_builds_another_model(gate_run: Callable[..., GateRunner]) -> None:
    made = [
        run.session.model(run.config.candidates[0]).artifact
        for samples in ("2", "4")
        for run in [gate_run(candidate="openvino:int8-ptq", calibration_samples=samples)]
    ]
    assert made[0].key != made[1].key
    assert made[0].identity != made[1].identity


@pytest.mark.parametrize("pair", matrix(["ctranslate2:float32", "openvino:float32"], "openvino:float32"))
def test_float32_says_the_same_on_every_backend(gate_run: Callable[..., GateRunner], pair: str) -> None:
    run = gate_run(candidate=pair, max_utterances="24")
    texts = run.session.texts(run.config.candidates[0])
    same = sum(item.baseline == item.candidate for item in texts.pairs)
    assert same >= 0.95 * len(texts.pairs)


@pytest.mark.parametrize("backend", ["ctranslate2", "openvino"])
def test_int8_is_smaller_and_another_model(gate_run: Callable[..., GateRunner], backend: str) -> None:
    run = gate_run(candidate=f"{backend}:float32,{backend}:int8")
    whole, small = (run.session.model(candidate).artifact for candidate in run.config.candidates)
    assert small.size < 0.6 * whole.size
    assert small.identity != whole.identity


@pytest.mark.parametrize("backend", matrix(on_embedded(), "ctranslate2"))
def test_the_language_is_detected_where_the_corpus_does_not_say(
    gate_run: Callable[..., GateRunner], backend: str
) -> None:
    candidate = f"{backend}:float32"
    run = gate_run(candidate=candidate)
    artifact = run.session.model(run.config.candidates[0]).artifact
    transcriber = get_backend(backend).load("float32", artifact.directory, 1)
    items = [item for item in run.session.corpus.speech if item.kind == "synthetic"][:8]
    known = transcriber.transcribe([Clip(samples=audio.load(i.audio), language=i.language) for i in items])
    mixed = transcriber.transcribe(
        [Clip(samples=audio.load(i.audio), language=i.language if n % 2 else None) for n, i in enumerate(items)]
    )
    same = [a.text == b.text for a, b in zip(known, mixed, strict=True)]
    assert all(same[1::2])  # the clips whose language was given: their place in the batch must not get lost
    assert sum(same[::2]) >= 2  # of the four detected; a language may be misheard


def test_a_language_the_model_lacks_is_an_error_not_another_token(gate_run: Callable[..., GateRunner]) -> None:
    """The tokenizer answers with end-of-text for any token it does not know."""
    run = gate_run(candidate="ctranslate2:float32")
    front_end = FrontEnd(run.session.model(run.config.candidates[0]).artifact.directory)
    assert len(set(front_end.prompt("en"))) == 4
    with pytest.raises(BuildError, match=r"lacks <\|xx\|>"):
        front_end.prompt("xx")


def test_a_checkpoint_that_does_not_say_how_to_prompt_it_is_refused(tmp_path: Path) -> None:
    shutil.copytree(package_data.model_directory(), tmp_path / "model")
    (tmp_path / "model" / "generation_config.json").unlink()
    with pytest.raises(BuildError, match=r"generation_config.json: it lacks is_multilingual, lang_to_id or task_to_id"):
        _build(tmp_path / "model", tmp_path / "built")


@pytest.mark.matrix
def test_a_stateless_decoder_says_what_the_stateful_one_says(gate_run: Callable[..., GateRunner]) -> None:
    run = gate_run(candidate="openvino:float32,openvino-stateless:float32", max_utterances="24")
    stateful, stateless = (run.session.model(candidate).transcripts for candidate in run.config.candidates)
    # Two graphs may add up in another order, and a processor decides in which: nearly all texts are the same.
    same = sum(one == other for one, other in zip(stateful.texts, stateless.texts, strict=True))
    assert same >= 0.95 * len(stateful.texts)
    assert "stateful decoder" in stateful.operations
    assert "stateless decoder" in stateless.operations
    assert "decoder with past" in stateless.operations


@pytest.mark.matrix
def test_a_sweep_builds_another_model_for_every_setting(gate_run: Callable[..., GateRunner], cache_dir: Path) -> None:
    options = {"whisperq_cache_dir": str(cache_dir), "whisperq_max_utterances": "8", "whisperq_threads": "1"}
    trials = list(sweep(options, [2], [(0.5, 0.95), (0.1, 0.1)]))
    assert [(trial.samples, trial.alphas[0]) for trial in trials] == [(2, 0.5), (2, 0.1)]
    assert all(trial.error_rate is not None for trial in trials)
    identities = set()
    for alphas in ("0.5,0.95", "0.1,0.1"):
        run = gate_run(candidate="openvino:int8-ptq", calibration_samples="2", smooth_quant=alphas)
        built = run.session.store.built(run.session.spec(run.config.candidates[0]))
        assert built is not None
        identities.add(built.identity)
    assert len(identities) == 2


def _build(source: Path, directory: Path) -> None:
    directory.mkdir()
    with quiet_libraries():
        get_backend("transformers").build("float32", source, directory, None)


def _another(directory: Path, change: Callable[[dict[str, Any]], dict[str, Any]], **config: Any) -> Path:
    """Copy the embedded checkpoint with other weights, or another ``config.json``."""
    shutil.copytree(package_data.model_directory(), directory)
    save_file(change(load_file(directory / "model.safetensors")), directory / "model.safetensors", {"format": "pt"})
    told = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    (directory / "config.json").write_text(json.dumps({**told, **config}), encoding="utf-8")
    return directory


@pytest.mark.parametrize(
    ("change", "config", "says"),
    [
        (lambda w: {f"_orig_mod.{name}": value for name, value in w.items()}, {}, "keys begin with '_orig_mod.'"),
        (lambda w: {f"module.{name}": value for name, value in w.items()}, {}, "keys begin with 'module.'"),
        (
            lambda w: {name: value for name, value in w.items() if "decoder.layers.1." not in name},
            {},
            r"missing and would be filled .*model\.decoder\.layers\.1\.",
        ),
        (lambda w: w, {"decoder_layers": 3}, r"missing and would be filled .*model\.decoder\.layers\.2\."),
        (lambda w: w, {"decoder_layers": 1}, r"no place in the model .*model\.decoder\.layers\.1\."),
        (lambda w: w, {"tie_word_embeddings": False}, r"missing and would be filled .*\(proj_out\.weight\)"),
        (lambda w: w, {"vocab_size": 2273}, r"another shape .*embed_tokens\.weight \(2265, 128\) for \(2273, 128\)"),
    ],
    ids=[
        "torch.compile",
        "data parallel",
        "a layer less",
        "a layer more in config",
        "a layer less in config",
        "last layer",
        "shape",
    ],
)
def test_weights_that_are_not_the_checkpoints_are_refused_and_nothing_is_kept(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], config: dict[str, Any], says: str
) -> None:
    """What is missing is filled at random, and two models with the same random numbers agree in every word."""
    model = _another(tmp_path / "model", change, **config)
    options = {"candidate": "ctranslate2:int8", "model": str(model), "cache_dir": str(tmp_path / "cache")}
    run = GateRunner(resolve({f"whisperq_{name}": value for name, value in options.items()}))
    with pytest.raises(BuildError, match=f"the weights are not those of its config.json: .*{says}"):
        _ = run.session.model(run.config.candidates[0]).artifact
    assert not list((tmp_path / "cache" / "artifacts").iterdir())


def test_weights_of_something_else_are_named_in_what_is_built_from_them(tmp_path: Path) -> None:
    model = _another(tmp_path / "model", lambda w: {**w, "ctc.weight": np.zeros((2, 2), np.float32)})
    options = {"candidate": "ctranslate2:int8", "model": str(model), "cache_dir": str(tmp_path / "cache")}
    run = GateRunner(resolve({f"whisperq_{name}": value for name, value in options.items()}))
    (note,) = run.session.model(run.config.candidates[0]).artifact.notes
    assert note == "weights of the checkpoint that are no part of a Whisper, and not used: ctc.weight"


FC1 = "model.decoder.layers.0.fc1.weight"


def _with(weights: dict[str, Any], value: float, row: int | None = 0) -> dict[str, Any]:
    """Return weights with one row of a matrix, or all of it, set to a value."""
    changed = weights[FC1].copy()
    changed[row if row is not None else ...] = value
    return {**weights, FC1: changed}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: _with(w, np.nan), rf"the weights are damaged: some are NaN or infinite \({FC1}\); copy or download"),
        (lambda w: _with(w, np.inf), rf"the weights are damaged: some are NaN or infinite \({FC1}\); copy or download"),
        (lambda w: _with(w, 0, None), rf"the weights are damaged: matrices are all zeros \({FC1}\); copy or download"),
        (
            lambda w: {**w, "proj_out.weight": w["model.decoder.embed_tokens.weight"][::-1].copy()},
            r"proj_out\.weight is not model\.decoder\.embed_tokens\.weight, and config\.json ties the two; set tie",
        ),
    ],
    ids=["NaN", "infinite", "zeros", "another last layer"],
)
def test_weights_that_two_models_would_share_the_damage_of_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], says: str
) -> None:
    """Both would say the same nonsense, and parity is perfect."""
    model = _another(tmp_path / "model", change)
    with pytest.raises(BuildError, match=f"^{re.escape(str(model))}: {says}"):
        _build(model, tmp_path / "built")


@pytest.mark.parametrize(
    "change",
    [
        lambda w: {**w, "proj_out.weight": w["model.decoder.embed_tokens.weight"].copy()},
        lambda w: {name.removeprefix("model."): value for name, value in w.items()},
        lambda w: {name: value.astype(np.float32) for name, value in w.items()},
    ],
    ids=["the embedding stored twice", "saved by the base class", "float32"],
)
def test_a_sound_checkpoint_is_not_refused(tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    _build(_another(tmp_path / "model", change), tmp_path / "built")


def _foreign(folder: Path, names: tuple[str, ...], source: Path) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)
        shutil.copyfile(source / name, folder / name)


ENGLISH = "whisperq-micro-distil.en"
TOKENIZER = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json")
MISFITS = [
    (TOKENIZER, r"the tokenizer is another model's: it has 2264 tokens, timestamps included, and the weights 2265"),
    (("generation_config.json",), r"ids are not those of the tokenizer: <\|notimestamps\|> 762 for 763, "),
    ((*TOKENIZER, "generation_config.json"), "the tokenizer is another model's: it has 2264 tokens"),
]


@pytest.mark.parametrize(("names", "says"), MISFITS, ids=["tokenizer", "generation config", "both"])
def test_an_english_only_front_end_beside_multilingual_weights_is_refused(
    tmp_path: Path, names: tuple[str, ...], says: str
) -> None:
    model = _another(tmp_path / "model", lambda w: w)
    _foreign(model, names, package_data.model_directory(ENGLISH))
    with pytest.raises(BuildError, match=f"^{re.escape(str(model))}.*{says}.* from the checkpoint that these weights"):
        _build(model, tmp_path / "built")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("tokenizer.json", "{}", r"the tokenizer cannot be read \(KeyError: .*; take tokenizer\.json and"),
        ("tokenizer.json", "{", r"the tokenizer cannot be read \(JSONDecodeError: .*; take tokenizer\.json and"),
        (
            "tokenizer.json",
            None,
            r"the tokenizer lacks <\|startoftranscript\|>.*: it is blank, .*; take tokenizer\.json",
        ),
        ("generation_config.json", "{", r"generation_config\.json: it cannot be read .*; take the file"),
        ("generation_config.json", "[]", r"generation_config\.json: it must be a JSON object; take the file"),
        ("preprocessor_config.json", "{", r"preprocessor_config\.json: .* cannot be read .*; take the file"),
        ("preprocessor_config.json", '{"feature_size": 128}', r"preprocessor_config\.json: .*feature_size 128 for 80"),
    ],
)
def test_a_front_end_that_is_blank_or_damaged_is_refused(
    tmp_path: Path, name: str, text: str | None, says: str
) -> None:
    model = _another(tmp_path / "model", lambda w: w)
    if text is None:
        for file in TOKENIZER:
            (model / file).unlink()
    else:
        (model / name).write_text(text)
    with pytest.raises(BuildError, match=f"^{re.escape(str(model))}.*{says}"):
        _build(model, tmp_path / "built")


LOADED = ["transformers:float32", "transformers:int8-dynamic", "ctranslate2:float32", "faster-whisper:float32"]


@pytest.mark.parametrize("pair", [*LOADED, "openvino:float32"])
def test_every_loader_refuses_a_front_end_of_another_model(
    tmp_path: Path, gate_run: Callable[..., GateRunner], pair: str
) -> None:
    """Of a model that was converted elsewhere nobody has built the folder."""
    run = gate_run(candidate=pair)
    built = run.session.store.get(run.session.spec(run.config.candidates[0])).directory
    backend, precision = get_backend(pair.partition(":")[0]), pair.partition(":")[2]
    shutil.copytree(built, tmp_path / "model")
    backend.load(precision, tmp_path / "model", 1)
    for number, (names, says) in enumerate(MISFITS):
        model = tmp_path / f"misfit-{number}"
        shutil.copytree(built, model)
        _foreign(model, names, package_data.model_directory(ENGLISH))
        with pytest.raises(BuildError, match=f"^{re.escape(str(model))}.*{says}"):
            backend.load(precision, model, 1)
    model = tmp_path / "mels"
    shutil.copytree(built, model)
    told = json.loads((model / "preprocessor_config.json").read_text(encoding="utf-8"))
    (model / "preprocessor_config.json").unlink()
    (model / "preprocessor_config.json").write_text(json.dumps({**told, "feature_size": 128}))
    with pytest.raises(BuildError, match=r"preprocessor_config\.json: .*feature_size 128 for 80; take the file"):
        backend.load(precision, model, 1)


@pytest.mark.parametrize("pair", LOADED[:2])
def test_a_loader_that_would_fill_what_is_missing_at_random_refuses_it(
    tmp_path: Path, gate_run: Callable[..., GateRunner], pair: str
) -> None:
    run = gate_run(candidate=pair)
    built = run.session.store.get(run.session.spec(run.config.candidates[0])).directory
    shutil.copytree(built, tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "decoder.layers.1." not in name}
    save_file(kept, tmp_path / "model" / "model.safetensors", {"format": "pt"})
    with pytest.raises(BuildError, match=r"missing and would be filled .*\(model\.decoder\.layers\.1\."):
        get_backend("transformers").load(pair.partition(":")[2], tmp_path / "model", 1)
