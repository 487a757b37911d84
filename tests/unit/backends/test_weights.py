"""Weights that are not the checkpoint's are refused by name: the loader would fill them at random."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from pytest_whisperq.backends import _weights
from pytest_whisperq.system.errors import BuildError

SOURCE = Path("checkpoint")
LAYER = "model.decoder.layers.2.fc1.weight"


def found(missing: Any = (), extra: Any = (), shapes: Any = ()) -> dict[str, Any]:
    return {"missing_keys": set(missing), "unexpected_keys": set(extra), "mismatched_keys": set(shapes)}


def refused(info: dict[str, Any]) -> str:
    with pytest.raises(BuildError) as error:
        _weights.unused(SOURCE, info, is_tied=True)
    assert str(error.value).startswith("checkpoint: the weights are not those of its config.json: ")
    return str(error.value)


def test_all_that_config_asks_for_is_all_there_is_to_say() -> None:
    assert _weights.unused(SOURCE, found(), is_tied=True) == []


def test_a_last_layer_that_is_the_embedding_need_not_be_stored() -> None:
    assert _weights.unused(SOURCE, found(missing=["proj_out.weight"]), is_tied=True) == []
    assert "proj_out.weight" in refused(found(missing=["proj_out.weight", "model.decoder.embed_tokens.weight"]))


def test_a_last_layer_of_its_own_has_to_be_there() -> None:
    with pytest.raises(BuildError, match=r"missing and would be filled with random numbers \(proj_out\.weight\)"):
        _weights.unused(SOURCE, found(missing=["proj_out.weight"]), is_tied=False)


def test_a_missing_layer_is_named_with_what_would_become_of_it() -> None:
    text = refused(found(missing=[f"{LAYER}{number}" for number in range(5)]))
    assert f"some are missing and would be filled with random numbers ({LAYER}0, {LAYER}1, {LAYER}2 and 2 more)" in text
    assert "correct config.json (encoder_layers, decoder_layers" in text


def test_a_layer_that_config_does_not_know_is_named_too() -> None:
    assert f"some have no place in the model ({LAYER})" in refused(found(extra=[LAYER]))
    assert "decoder.layers.2.fc1.bias" in refused(found(extra=["decoder.layers.2.fc1.bias"]))  # as the base class saves


def test_another_shape_is_named_with_both() -> None:
    text = refused(found(shapes=[("model.decoder.embed_tokens.weight", (2265, 128), (2273, 128))]))
    assert "some have another shape (model.decoder.embed_tokens.weight (2265, 128) for (2273, 128))" in text


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "base_model.model.", "student."])
def test_a_prefix_is_named_with_the_remedy(prefix: str) -> None:
    text = refused(found(missing=[LAYER], extra=[f"{prefix}{LAYER}"]))
    assert f"; keys begin with {prefix!r}: save the model without what it was wrapped in" in text


def test_weights_of_something_else_are_named_and_not_refused() -> None:
    extra = ["ctc.weight", "ctc.\x1b[31mbias", "model.ctc_head.weight"]
    (note,) = _weights.unused(SOURCE, found(extra=extra), is_tied=True)
    assert note.endswith(r"and not used: ctc.\x1b[31mbias, ctc.weight, model.ctc_head.weight")


def written(folder: Path, weights: dict[str, Any], name: str = "model.safetensors") -> Path:
    save_file(weights, folder / name)
    return folder


def test_files_that_hold_weights_are_sound_whatever_else_they_hold(tmp_path: Path) -> None:
    weights = {LAYER: np.zeros(2, np.float16), "ctc.steps": np.zeros(2, np.int64)}
    _weights.check_files(written(tmp_path, weights))
    (tmp_path / "model.safetensors").unlink()
    for number in (1, 2):
        written(tmp_path, weights, f"model-{number}.safetensors")
    index = {"weight_map": {LAYER: "model-1.safetensors", "ctc.steps": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    _weights.check_files(tmp_path)


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ('{"weight_map": {"a": "model-1.safetensors"}}', r"index\.json names model-1\.safetensors, which is not there"),
        ("{", r"model\.safetensors\.index\.json: the index of the weights cannot be read \(JSONDecodeError: "),
        ("[]", r"model\.safetensors\.index\.json: the index of the weights cannot be read \(TypeError: "),
        (
            None,
            r"there is neither model\.safetensors nor model\.safetensors\.index\.json; give the file its usual name",
        ),
    ],
)
def test_a_file_that_the_index_names_and_is_not_there_is_named(tmp_path: Path, index: str | None, says: str) -> None:
    if index is not None:
        (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(BuildError, match=says):
        _weights.check_files(tmp_path)


@pytest.mark.parametrize("length", [0, 5, -1])
def test_a_file_that_was_cut_is_named(tmp_path: Path, length: int) -> None:
    path = written(tmp_path, {LAYER: np.zeros((8, 8), np.float32)}) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(BuildError, match=r"model\.safetensors: the file is cut or damaged \(.+\); copy or download"):
        _weights.check_files(tmp_path)


def test_integers_are_no_weights_without_the_scales_that_nothing_here_reads(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=rf"no floating-point numbers \({LAYER} I8\); name the checkpoint that this"):
        _weights.check_files(written(tmp_path, {LAYER: np.zeros((8, 8), np.int8)}))
