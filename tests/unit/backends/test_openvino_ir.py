"""What a folder of OpenVINO IR files holds is read from its graphs, whoever exported them."""

from pathlib import Path

import pytest

from pytest_whisperq.backends import ReadyMade
from pytest_whisperq.backends.openvino import OpenVINOBackend, StatelessOpenVINOBackend
from pytest_whisperq.system.errors import BuildError

PARTS = ("encoder", "decoder")
BITS = {"f32": 32, "f16": 16, "u8": 8, "i8": 8, "i4": 4, "u4": 4, "nf4": 4, "f8e4m3": 8}


def constant(kind: str, *shape: int, offset: int = 0, name: str = "weight") -> str:
    size = BITS[kind]
    for one in shape:
        size *= one
    dimensions = ", ".join(map(str, shape))
    data = f'<data element_type="{kind}" shape="{dimensions}" offset="{offset}" size="{size // 8}"/>'
    return f'<layer name="{name}" type="Const">{data}</layer>'


def port(name: str, *shape: int) -> str:
    dimensions = "".join(f"<dim>{one}</dim>" for one in shape)
    return f'<layer name="{name}" type="Op"><output><port names="{name},other">{dimensions}</port></output></layer>'


def write(folder: Path, *, stateful: bool = True, ptq: bool = False, **kinds: list[str]) -> Path:
    """Write a model whose ``encoder`` and ``decoder`` have weight matrices of these element types, in order."""
    folder.mkdir(exist_ok=True)
    names = [*PARTS, *([] if stateful else ["decoder_with_past"])]
    for part in names:
        matrices = kinds.get(part, kinds["decoder"])
        layers = [constant(kind, 64, 64, name=f"__module.layers.{i}.fc1.weight") for i, kind in enumerate(matrices)]
        layers += [constant("f32", 64, 1), constant("f32", 2, 2)]  # scales, and what is too small for weights
        layers += ['<layer name="fq" type="FakeQuantize"/>'] if ptq else []
        layers += ['<layer name="state" type="ReadValue"/>'] if stateful and part == "decoder" else []
        first = constant("u8", 4, 80, 3, name="self.conv1.weight")
        sides = {"encoder": port("input_features", -1, -1, 3000) + first + port("last_hidden_state", -1, 1500, 64)}
        layers.append(sides.get(part, port("encoder_hidden_states", -1, -1, 64) + port("logits", -1, -1, 120)))
        graph = f"<net><layers>{''.join(layers)}</layers></net>"
        (folder / f"openvino_{part}_model.xml").write_text(graph)
        (folder / f"openvino_{part}_model.bin").write_bytes(bytes(64 * 64 * 4))
    (folder / "config.json").write_text("{}")
    return folder


def look(folder: Path) -> ReadyMade:
    found = OpenVINOBackend().look(folder)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("kind", "stored"),
    [("u8", "int8"), ("i8", "int8"), ("i4", "int4-sym"), ("u4", "int4-asym"), ("nf4", "nf4"), ("f8e4m3", "fp8-e4m3")],
)
def test_shorter_weights_are_one_precision_and_nothing_else(tmp_path: Path, kind: str, stored: str) -> None:
    found = look(write(tmp_path, encoder=[kind] * 3, decoder=[kind, kind, "f32"]))
    assert dict(found.precisions) == {stored: OpenVINOBackend.precisions[stored]}


def test_weights_of_16_bits_may_be_computed_in_32(tmp_path: Path) -> None:
    found = look(write(tmp_path, encoder=["f16"], decoder=["f16"]))
    assert list(found.precisions) == ["float16", "float32", "bfloat16"]
    assert look(write(tmp_path, encoder=["f32"], decoder=["f32"])).stored == "float32"


@pytest.mark.parametrize(
    ("book", "kind", "stored"),
    [((16,), "u4", "codebook"), ((256, 4), "u8", "vq4x256"), ((7, 3), "u8", "mixed")],
)
def test_indices_into_a_codebook_are_no_integers(tmp_path: Path, book: tuple[int, ...], kind: str, stored: str) -> None:
    """NNCF's have a Convert between, as 4 bits want one; a codebook that nobody here builds is none of ours."""
    table = constant("f16", *book).replace("<layer", '<layer id="1"')
    indices = constant(kind, 64, 64).replace("<layer", '<layer id="2"')
    operations = '<layer id="3" type="Convert"/><layer id="4" type="Gather"/>'
    pairs = [("1", "4", "0"), ("2", "3", "0"), ("3", "4", "1")] if kind == "u4" else [("1", "4", "0"), ("2", "4", "1")]
    edges = "".join(f'<edge from-layer="{a}" from-port="0" to-layer="{b}" to-port="{c}"/>' for a, b, c in pairs)
    write(tmp_path, encoder=[], decoder=[])
    for part in PARTS:
        path = tmp_path / f"openvino_{part}_model.xml"
        graph = path.read_text().replace("</layers>", f"{table}{indices}{operations}</layers><edges>{edges}</edges>")
        path.write_text(graph.replace(constant("u8", 4, 80, 3, name="self.conv1.weight"), ""))
    assert look(tmp_path).stored == stored


def test_quantized_activations_make_it_ptq(tmp_path: Path) -> None:
    found = look(write(tmp_path, encoder=["i8"], decoder=["i8"], ptq=True))
    assert dict(found.precisions) == {"int8-ptq": "int8_float32"}


def test_parts_of_several_precisions_are_both_named(tmp_path: Path) -> None:
    found = look(write(tmp_path, encoder=["f16"], decoder=["i4"]))
    assert dict(found.precisions) == {"float16+int4-sym": "float32 + float32 on int4 weights"}


def test_weights_of_which_no_type_has_more_than_half_are_mixed(tmp_path: Path) -> None:
    found = look(write(tmp_path, encoder=["i4", "u8"], decoder=["i4", "u8"]))
    assert dict(found.precisions) == {"mixed": "float32 on mixed weights"}


def test_sizes_are_told_by_the_names_that_a_checkpoint_has_for_them(tmp_path: Path) -> None:
    assert look(write(tmp_path, encoder=["u8"] * 3, decoder=["u8"])).sizes == {
        "num_mel_bins": 80,
        "d_model": 64,
        "vocab_size": 120,
        "encoder_layers": 3,
        "decoder_layers": 1,
    }


def test_tokenizers_for_other_runtimes_belong_to_it_and_a_checkpoint_beside_it_does_not(tmp_path: Path) -> None:
    write(tmp_path, encoder=["u8"], decoder=["u8"])
    for name in ("openvino_tokenizer.xml", "openvino_tokenizer.bin", "tokenizer.json", "model.safetensors", "a.bin"):
        (tmp_path / name).write_text("")
    assert look(tmp_path).files == (
        "config.json",
        "openvino_decoder_model.bin",
        "openvino_decoder_model.xml",
        "openvino_encoder_model.bin",
        "openvino_encoder_model.xml",
        "openvino_tokenizer.bin",
        "openvino_tokenizer.xml",
        "tokenizer.json",
    )
    assert look(tmp_path).lacks == ("preprocessor_config.json", "generation_config.json")


def test_a_decoder_that_keeps_no_state_is_the_other_backends(tmp_path: Path) -> None:
    write(tmp_path / "with", encoder=["u8"], decoder=["u8"])
    assert StatelessOpenVINOBackend().look(tmp_path / "with") is None
    write(tmp_path / "without", encoder=["u8"], decoder=["u8"], stateful=False)
    assert OpenVINOBackend().look(tmp_path / "without") is None
    assert StatelessOpenVINOBackend().look(tmp_path / "without") is not None
    (tmp_path / "without" / "openvino_decoder_with_past_model.xml").unlink()
    with pytest.raises(BuildError, match=r"without: there is no openvino_decoder_with_past_model\.xml; export"):
        StatelessOpenVINOBackend().look(tmp_path / "without")


def test_a_folder_without_an_encoder_is_none(tmp_path: Path) -> None:
    assert OpenVINOBackend().look(tmp_path) is None


@pytest.mark.parametrize("name", ["openvino_decoder_model.xml", "openvino_encoder_model.bin", "config.json"])
def test_a_part_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    (write(tmp_path, encoder=["u8"], decoder=["u8"]) / name).unlink()
    with pytest.raises(BuildError, match=f"there is no {name}; export the model again"):
        look(tmp_path)


def test_a_file_that_is_cut_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, encoder=["u8"], decoder=["u8"]) / "openvino_decoder_model.xml"
    graph = path.read_text()
    path.write_text(graph[: len(graph) // 2])
    with pytest.raises(BuildError, match=r"decoder_model\.xml: the graph is cut or damaged"):
        look(tmp_path)
    path.write_text(graph)
    path.with_suffix(".bin").write_bytes(bytes(64 * 63))
    with pytest.raises(BuildError, match=r"decoder_model\.bin: the weights are cut, or another graph's"):
        look(tmp_path)
