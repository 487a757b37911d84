"""A model that was converted elsewhere is judged as it is: all of its weights, as they are now, or none."""

import os
from pathlib import Path

import pytest

from pytest_whisperq.backends import _ready_made, take_ready_made
from pytest_whisperq.backends.openvino import OpenVINOBackend
from pytest_whisperq.system.errors import BuildError, DecodeError

PARTS = ("openvino_encoder_model", "openvino_decoder_model")


class Deployed(OpenVINOBackend):
    name = "deployed"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "deployed", *(f"{part}.{suffix}" for part in PARTS for suffix in ("xml", "bin")))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    names = [f"{part}.{suffix}" for part in PARTS for suffix in ("xml", "bin")]
    return write(tmp_path / "built", *names, "config.json", "tokenizer.json")


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{folder.name} {name}")
    return folder


def backend(folder: Path) -> Deployed:
    deployed = Deployed()
    deployed.ready_made = {"int8": folder}
    return deployed


def test_its_files_take_the_place_of_those_that_were_built(folder: Path, built: Path) -> None:
    (note,) = take_ready_made(backend(folder), "int8", built)
    assert note == "not in the folder of the model, and taken from the checkpoint: config.json, tokenizer.json"
    assert (built / f"{PARTS[0]}.bin").read_text() == f"deployed {PARTS[0]}.bin"
    assert (built / "tokenizer.json").read_text() == "built tokenizer.json"


def test_another_precision_is_built_as_ever(folder: Path, built: Path) -> None:
    assert take_ready_made(backend(folder), "float32", built) == []
    assert (built / f"{PARTS[0]}.bin").read_text() == f"built {PARTS[0]}.bin"


@pytest.mark.parametrize("name", [f"{PARTS[0]}.bin", f"{PARTS[1]}.xml"])
def test_a_part_that_is_missing_is_not_taken_from_what_was_built(folder: Path, built: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BuildError, match=f"deployed:int8: the model in .*deployed lacks {name}, and what was"):
        take_ready_made(backend(folder), "int8", built)


def test_a_folder_that_holds_the_model_one_level_deeper_is_told_so(folder: Path, built: Path) -> None:
    folder.rename(folder.with_name("int8"))
    write(folder, "README.md")
    folder.with_name("int8").rename(folder / "int8")
    with pytest.raises(BuildError, match=rf"judged instead; name .*deployed{os.sep}int8$"):
        take_ready_made(backend(folder), "int8", built)


def test_a_folder_that_is_not_there_is_named(folder: Path, built: Path) -> None:
    with pytest.raises(BuildError, match=r"deployed:int8: there is no folder .*other; correct ready_made"):
        take_ready_made(backend(folder.with_name("other")), "int8", built)


def test_a_file_that_is_a_link_to_another_models_is_replaced_not_written_through(folder: Path, built: Path) -> None:
    """faster-whisper links what CTranslate2 converted."""
    other = write(built.with_name("other"), "model.bin") / "model.bin"
    (built / f"{PARTS[0]}.bin").unlink()
    os.link(other, built / f"{PARTS[0]}.bin")
    take_ready_made(backend(folder), "int8", built)
    assert other.read_text() == "other model.bin"


def test_the_digest_is_of_what_the_files_hold_now(folder: Path) -> None:
    first = _ready_made.ready_made_digest(backend(folder), "int8")
    assert first == _ready_made.ready_made_digest(backend(folder), "int8")
    assert not _ready_made.ready_made_digest(backend(folder), "float32")
    write(folder, f"{PARTS[0]}.bin").joinpath(f"{PARTS[0]}.bin").write_text("retrained")
    assert first != _ready_made.ready_made_digest(backend(folder), "int8")


def test_what_goes_wrong_while_it_is_loaded_names_the_folder_and_what_to_do(folder: Path) -> None:
    with (
        pytest.raises(BuildError) as caught,
        _ready_made.names_ready_made(backend(folder), "int8"),
    ):
        raise RuntimeError("Exception from core.cpp:84:\nIncorrect weights in bin file!\n")
    assert str(caught.value) == (
        f"deployed:int8 of {folder}: the model cannot be loaded (Exception from core.cpp:84: Incorrect weights in bin "
        "file!); its files are cut, or of two models: copy or convert all of them again"
    )
    with (
        pytest.raises(DecodeError, match=f"^deployed:int8 of {folder}: clip: no; help$"),
        _ready_made.names_ready_made(backend(folder), "int8"),
    ):
        raise DecodeError("no", where="clip", remedy="help")
    with pytest.raises(RuntimeError, match=r"^as it is$"), _ready_made.names_ready_made(backend(folder), "float32"):
        raise RuntimeError("as it is")
