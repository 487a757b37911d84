"""What a folder of CTranslate2 holds is read from its files, whoever wrote them."""

import json
import struct
from pathlib import Path

import pytest

from pytest_whisperq.backends import ReadyMade
from pytest_whisperq.backends.ctranslate2 import CTranslate2Backend, compute_type
from pytest_whisperq.backends.faster_whisper import FasterWhisperBackend
from pytest_whisperq.system.errors import BuildError

TYPES = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
WIDTHS = {"float32": 4, "int8": 1, "int16": 2, "int32": 4, "float16": 2, "bfloat16": 2}


def string(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def variable(name: str, kind: str, *shape: int) -> bytes:
    length = WIDTHS[kind]
    for size in shape:
        length *= size
    head = string(name) + struct.pack("<B", len(shape)) + struct.pack(f"<{len(shape)}I", *shape)
    return head + struct.pack("<BI", TYPES.index(kind), length) + bytes(length)


def write(folder: Path, matrices: str, rest: str = "float32", *, spec: str = "WhisperSpec", version: int = 6) -> Path:
    """Write a model of width 8, with 80 bands, 30 tokens, 2 layers in the encoder and 1 in the decoder."""
    folder.mkdir(exist_ok=True)
    variables = [
        variable("decoder/embeddings/weight", matrices, 30, 8),
        variable("encoder/conv1/weight", matrices, 8, 80, 3),
        *(variable(f"encoder/layer_{number}/ffn/linear_0/weight", matrices, 32, 8) for number in range(2)),
        variable("decoder/layer_0/ffn/linear_0/weight", matrices, 32, 8),
        variable("encoder/layer_norm/gamma", rest, 8),
        variable("encoder/num_heads", "int16"),
    ]
    head = struct.pack("<I", version) + string(spec) + struct.pack("<II", 3, len(variables))
    (folder / "model.bin").write_bytes(head + b"".join(variables) + struct.pack("<I", 0))
    (folder / "config.json").write_text("{}")
    (folder / "vocabulary.json").write_text(json.dumps([str(number) for number in range(30)]))
    return folder


def look(folder: Path) -> ReadyMade:
    found = CTranslate2Backend().look(folder)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("matrices", "rest", "stored"),
    [
        ("float32", "float32", "float32"),
        ("float16", "float16", "float16"),
        ("int16", "float32", "int16"),
        ("int8", "float32", "int8"),
        ("int8", "float16", "int8-float16"),
        ("int8", "bfloat16", "int8-bfloat16"),
    ],
)
def test_the_precision_is_that_of_the_stored_values(tmp_path: Path, matrices: str, rest: str, stored: str) -> None:
    found = look(write(tmp_path, matrices, rest))
    assert found.stored == stored
    assert dict(found.precisions) == dict(CTranslate2Backend.precisions)


def test_sizes_are_told_by_the_names_that_a_checkpoint_has_for_them(tmp_path: Path) -> None:
    assert look(write(tmp_path, "int8")).sizes == {
        "vocab_size": 30,
        "d_model": 8,
        "num_mel_bins": 80,
        "encoder_layers": 2,
        "decoder_layers": 1,
    }


def test_what_belongs_to_it_is_listed_and_what_it_lacks(tmp_path: Path) -> None:
    write(tmp_path, "int8")
    for name in ("README.md", "whisperq-gate.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    found = look(tmp_path)
    assert found.files == ("config.json", "model.bin", "vocabulary.json")
    assert found.lacks == ("preprocessor_config.json", "tokenizer.json", "generation_config.json")
    for name in ("vocab.json", "merges.txt", "processor_config.json"):  # what older and newer tools write instead
        (tmp_path / name).write_text("{}")
    found = look(tmp_path)
    assert found.lacks == ("generation_config.json",)
    assert {"vocab.json", "merges.txt", "processor_config.json"} <= {*found.files}


def test_faster_whisper_needs_no_features_from_elsewhere(tmp_path: Path) -> None:
    found = FasterWhisperBackend().look(write(tmp_path, "int8"))
    assert found is not None
    assert found.lacks == ("tokenizer.json", "generation_config.json")


def test_another_tools_model_bin_is_none(tmp_path: Path) -> None:
    assert CTranslate2Backend().look(tmp_path) is None
    for content in (b"", b"lmgg" + bytes(100), b"\x80\x02" * 100, struct.pack("<IH", 6, 4000)):
        (tmp_path / "model.bin").write_bytes(content)
        assert CTranslate2Backend().look(tmp_path) is None
    assert CTranslate2Backend().look(write(tmp_path, "int8", spec="TransformerSpec")) is None


@pytest.mark.parametrize("left", [0.99, 0.5, 0.05])
def test_a_file_that_is_cut_is_named(tmp_path: Path, left: float) -> None:
    path = write(tmp_path, "int8") / "model.bin"
    path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
    with pytest.raises(BuildError, match=f"^{path}: the file is cut or damaged; copy the folder again"):
        look(tmp_path)


def test_a_layout_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"model\.bin: its layout is version 7, and those known are 5, 6; convert"):
        look(write(tmp_path, "int8", version=7))


@pytest.mark.parametrize(("name", "told"), [("config.json", "config.json"), ("vocabulary.json", "vocabulary.json or ")])
def test_a_part_without_which_nothing_loads_is_named(tmp_path: Path, name: str, told: str) -> None:
    (write(tmp_path, "int8") / name).unlink()
    with pytest.raises(BuildError, match=f"there is no {told}"):
        look(tmp_path)


def test_what_is_stored_is_run_as_it_is_and_all_else_is_converted_while_it_is_loaded(tmp_path: Path) -> None:
    found = look(write(tmp_path, "int8"))
    assert [compute_type(name, found) for name in ("int8", "int8-float32", "float32", "int8-float16")] == [
        "default",
        "default",
        "float32",
        "int8_float16",
    ]
    assert compute_type("int8", look(write(tmp_path, "float16", "float16"))) == "int8"
