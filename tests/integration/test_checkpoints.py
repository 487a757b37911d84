"""Checkpoints as people have them: other shapes, other files, other types. Small ones with random weights."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pairs import matrix
from transformers import AddedToken, WhisperForConditionalGeneration, WhisperTokenizer

from pytest_whisperq.backends import Clip, TellsWordTimes, Transcriber, get_backend
from pytest_whisperq.backends._whisper import FrontEnd, quiet_libraries
from pytest_whisperq.models.random_weights import Shape, _write
from pytest_whisperq.models.source import resolve_source
from pytest_whisperq.system.errors import BuildError, DecodeError

LARGE_V3 = Shape(width=32, heads=2, encoder=2, decoder=2, mels=128, languages=100)
TURBO = LARGE_V3._replace(encoder=6, decoder=4)
DISTIL = LARGE_V3._replace(encoder=4)
PLAIN = Shape(width=32, heads=2, encoder=1, decoder=1)
CLIP = Clip(samples=np.random.default_rng(0).uniform(-0.3, 0.3, 16_000).astype(np.float32), language="en")

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Write a checkpoint of a shape; ``edit`` changes the objects of its JSON files, by name."""

    def write(shape: Shape, **edit: Callable[[dict[str, Any]], object]) -> Path:
        folder = tmp_path_factory.mktemp("checkpoint")
        with quiet_libraries():
            _write(shape, folder)
        for name, change in edit.items():
            path = folder / f"{name}.json"
            content = json.loads(path.read_text())
            change(content)
            path.write_text(json.dumps(content))
        return folder

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield write
    torch.set_num_threads(threads)


def build(checkpoint: Path, backend: str = "transformers", precision: str = "float32") -> Path:
    """Build a precision of a checkpoint, from what it starts from, as the store does."""
    base = get_backend(backend).base(precision)
    source = build(checkpoint, *base) if base else resolve_source(str(checkpoint)).directory
    folder = checkpoint.with_name(f"{checkpoint.name}-{backend}-{precision}")
    if not folder.exists():
        folder.mkdir()
        with quiet_libraries():
            get_backend(backend).build(precision, source, folder, None)
    return folder


def loaded(checkpoint: Path, backend: str, precision: str) -> Transcriber:
    with quiet_libraries():
        return get_backend(backend).load(precision, build(checkpoint, backend, precision), 1)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    with quiet_libraries():
        model = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return dict(model.state_dict())


EACH = ["transformers:float32", "ctranslate2:int8", "faster-whisper:int8", "openvino:int8"]


@pytest.mark.parametrize("backend", matrix(EACH, "transformers:float32", "ctranslate2:int8"))
def test_128_bands_four_decoder_layers_and_a_language_more_are_no_other_model(make: Make, backend: str) -> None:
    checkpoint = turbo(make)
    with quiet_libraries():
        (hypothesis,) = loaded(checkpoint, *backend.split(":")).transcribe([CLIP])
    assert hypothesis.language is not None


def turbo(make: Make, known: list[Path] = []) -> Path:  # noqa: B006 - one for all backends
    if not known:
        known.append(make(TURBO))
    return known[0]


@pytest.mark.parametrize(
    "save",
    [
        partial(WhisperForConditionalGeneration.save_pretrained, max_shard_size="500KB"),
        lambda model, folder: model.to(torch.bfloat16).save_pretrained(folder),
        lambda model, folder: model.half().save_pretrained(folder),
    ],
    ids=["sharded", "bfloat16", "float16"],
)
def test_weights_in_several_files_or_16_bits_are_taken_as_they_are(make: Make, save: Callable[..., object]) -> None:
    checkpoint = make(PLAIN)
    with quiet_libraries():
        model = WhisperForConditionalGeneration.from_pretrained(checkpoint)
        (checkpoint / "model.safetensors").unlink()
        save(model, checkpoint)
    built, original = weights(build(checkpoint)), weights(checkpoint)
    assert built.keys() == original.keys()
    assert all(bool((built[name] == original[name]).all()) for name in original)


def test_what_a_trainer_leaves_without_a_tokenizer_is_one_error_before_anything_is_built(make: Make) -> None:
    checkpoint = make(PLAIN)
    for name in ("optimizer.pt", "scheduler.pt", "training_args.bin", "trainer_state.json"):
        (checkpoint / name).write_bytes(b"{}")
    assert resolve_source(str(checkpoint)).directory == checkpoint
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (checkpoint / name).unlink()
    with pytest.raises(BuildError, match=r"has no tokenizer: neither tokenizer\.json nor vocab\.json and"):
        resolve_source(str(checkpoint))


def older(config: dict[str, Any]) -> None:
    config |= {"forced_decoder_ids": [[1, 50265], [2, 50358]], "suppress_tokens": [1, 2], "begin_suppress_tokens": [7]}


def test_a_checkpoint_from_before_generation_configs_is_one_error(make: Make) -> None:
    checkpoint = make(PLAIN, config=older)
    (checkpoint / "generation_config.json").unlink()
    with pytest.raises(BuildError, match=r"generation_config\.json: it lacks is_multilingual, .*; take the file"):
        build(checkpoint)


def test_tokens_that_only_an_older_config_suppresses_are_said_to_be_unused(make: Make, tmp_path: Path) -> None:
    def without(generation: dict[str, Any]) -> None:
        del generation["suppress_tokens"]

    checkpoint = make(PLAIN, config=older, generation_config=without)
    with quiet_libraries():
        notes = get_backend("transformers").build("float32", checkpoint, tmp_path, None)
    assert notes == ["not used, as generation_config.json does not have it: suppress_tokens of config.json"]


def test_a_language_that_an_older_config_forces_is_not_the_one_that_is_asked_for(make: Make) -> None:
    forced = {"forced_decoder_ids": [[1, 50265], [2, 50358]]}
    plain, other = (make(PLAIN, **edit) for edit in ({}, {"config": older, "generation_config": lambda g: g | forced}))
    texts = []
    for checkpoint in (plain, other):
        with quiet_libraries():
            texts.append(loaded(checkpoint, "transformers", "float32").transcribe([CLIP])[0].tokens)
    assert texts[0] == texts[1]


@pytest.fixture(scope="module")
def distilled(make: Make) -> Path:
    """A checkpoint of distil-whisper's kind: fewer decoder layers than its teacher, whose heads it states."""
    heads = {"alignment_heads": [[7, 0], [25, 1], [1, 0]]}
    return make(DISTIL, generation_config=lambda generation: generation.update(heads))


@pytest.mark.parametrize("backend", ["transformers", "ctranslate2", "faster-whisper"])
def test_word_times_by_heads_of_a_teacher_are_an_error_and_texts_are_not(distilled: Path, backend: str) -> None:
    """CTranslate2 would end the process."""
    transcriber = loaded(distilled, backend, "float32")
    with quiet_libraries():
        transcriber.transcribe([CLIP])
    assert isinstance(transcriber, TellsWordTimes)
    told = r"alignment_heads name layer 7, 25, and the decoder's are 0 to 1: .*; state its own"
    with pytest.raises(DecodeError, match=told), quiet_libraries():
        transcriber.transcribe_words(CLIP)


@pytest.fixture(scope="module")
def extended(make: Make) -> Path:
    """A checkpoint to which two words were added, behind the timestamps."""
    checkpoint = make(PLAIN)
    with quiet_libraries():
        tokenizer = WhisperTokenizer.from_pretrained(checkpoint)
        tokenizer.add_tokens([AddedToken("Kubernetes", special=False), AddedToken("<|agent|>", special=True)])
        tokenizer.save_pretrained(checkpoint)
        for name in ("vocab.json", "merges.txt"):
            (checkpoint / name).unlink()
        model = WhisperForConditionalGeneration.from_pretrained(checkpoint)
        model.resize_token_embeddings(len(tokenizer))
        model.save_pretrained(checkpoint)
    return checkpoint


def test_words_that_were_added_to_a_vocabulary_keep_their_times(extended: Path) -> None:
    front_end = FrontEnd(extended)
    ids = front_end.spell("w300 Kubernetes w301")
    added = front_end.vocabulary["Kubernetes"]
    assert added in ids
    assert added >= front_end.timestamps.stop
    marked = [front_end.timestamps.start, *ids, front_end.vocabulary["<|agent|>"]]
    ends = [0.5 * number for number in range(len(marked))]
    words = front_end.words(marked, ends, 0.0, "en")
    assert [word.text for word in words] == ["w300", "Kubernetes", "w301"]
    assert words[1].end == 0.5 * (1 + ids.index(added))


def test_ctranslate2_aligns_words_that_were_added(extended: Path) -> None:
    transcriber = loaded(extended, "ctranslate2", "float32")
    with quiet_libraries():
        words = transcriber.align(CLIP, "w300 Kubernetes w301")  # type: ignore[attr-defined]
    assert [word.text for word in words] == ["w300", "Kubernetes", "w301"]
