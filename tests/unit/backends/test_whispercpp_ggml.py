"""ggml files are read whole before whisper.cpp is shown them: over a damaged one it ends the process."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pytest_whisperq.backends import _whispercpp_ggml as ggml
from pytest_whisperq.backends._whispercpp_checkpoint import letters, openai_name
from pytest_whisperq.backends.whispercpp import WhisperCppBackend
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.models.kinds import kind_of
from pytest_whisperq.models.ready_made import find, folder_of
from pytest_whisperq.system.errors import BuildError

WIDTH, TOKENS = 32, 51_864
OPTION = "--whisperq-candidate"


def sizes(precision: str, **others: int) -> ggml.Sizes:
    kind = ggml.KINDS[precision]
    number = kind.file + (ggml.QUANTIZATION if kind.weights > 1 else 0)
    return ggml.Sizes(TOKENS, 4, WIDTH, 2, 1, 3, WIDTH, 2, 2, 80, number)._replace(**others)


def write(path: Path, precision: str = "float16") -> Path:
    """Write a model of width 32, one layer in the encoder and two in the decoder."""
    rng, shape = np.random.default_rng(0), sizes(precision)
    tensors = ((name, rng.standard_normal(one, np.float32)) for name, one in ggml.shapes(shape).items())
    tokens = (*(f"w{number}".encode() for number in range(40)), b"")
    ggml.write(path, shape, np.zeros((80, 201), np.float32), tokens, tensors)
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("ggml") / "ggml-small.bin")


def test_what_is_written_is_read_back(written: Path) -> None:
    held = ggml.read(written)
    assert held.sizes == sizes("float16")
    assert held.sizes.precision == "float16"
    assert held.tokens[:2] == (b"w0", b"w1")
    assert held.tokens[-1] == b""
    assert held.types == {1: 1 * 6 + 2 * 10 + 1}  # 4 or 8 of attention and 2 of the inner layers, and the embedding


@pytest.mark.parametrize("precision", ["q8_0", "q5_1", "q5_0", "q4_1", "q4_0"])
def test_quantized_files_have_their_blocks(precision: str, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    path = write(tmp_path / "ggml.bin", precision)
    found = WhisperCppBackend().look(path)
    assert found is not None
    assert (found.stored, found.directory, found.files) == (precision, tmp_path, ("ggml.bin",))
    assert found.sizes["decoder_layers"] == 2
    matrices = sum(np.prod(one) for name, one in ggml.shapes(sizes(precision)).items() if ggml.is_matrix(name, one))
    rest = path.stat().st_size - matrices * ggml.KINDS[precision].bytes / 32
    float16 = write(tmp_path / "f16.bin").stat().st_size - matrices * 2
    assert rest == float16


@pytest.mark.parametrize("precision", ["q8_0", "q5_1", "q5_0", "q4_1", "q4_0"])
def test_blocks_are_those_of_ggml_itself_byte_by_byte(precision: str) -> None:
    """``quantize`` of whisper.cpp makes them with ``ggml_quantize_chunk``, which the wheel brings."""
    import ctypes

    pytest.importorskip("gguf")
    package = Path(pytest.importorskip("pywhispercpp").__file__).parent
    libraries = sorted(package.with_name("pywhispercpp.libs").glob("libggml-base*"))
    if not libraries:
        pytest.skip("this wheel of pywhispercpp brings no library of ggml beside it")
    quantize = ctypes.CDLL(str(libraries[0])).ggml_quantize_chunk
    quantize.restype = ctypes.c_size_t
    quantize.argtypes = [ctypes.c_int, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3, ctypes.c_void_p]
    kind, rng = ggml.KINDS[precision], np.random.default_rng(1)
    value = rng.standard_normal((64, 96), np.float32) * rng.exponential(1, (64, 1)).astype(np.float32)
    value[3], value[5, :32] = 0, 0.25  # blocks without a range
    value = value.astype(np.float16).astype(np.float32)
    theirs = ctypes.create_string_buffer(value.size // 32 * kind.bytes)
    assert quantize(kind.tensor, value.ctypes.data, theirs, 0, *value.shape, None) == len(theirs.raw)
    assert ggml._blocks(value, kind).tobytes() == theirs.raw


@pytest.mark.parametrize("kept", [0, 3, 20, 47, 60, 70_000, 64_800, -1, -70, -4_000])
def test_a_file_that_is_cut_is_refused(kept: int, written: Path, tmp_path: Path) -> None:
    path = tmp_path / "ggml.bin"
    path.write_bytes(written.read_bytes()[:kept])
    with pytest.raises(BuildError, match=r"is damaged|is no ggml file"):
        ggml.read(path)


def changed(place: int, number: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + struct.pack("<i", number) + data[place + 4 :]


NAME = b"encoder.blocks.0.mlp.0.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(4, 51_870), "it has 51870 tokens, and whisper.cpp knows the special tokens of 51864, 51865, 51866"),
        (changed(44, 0), "it is of float32, and whisper.cpp computes convolutions in float16 alone"),
        (changed(44, 99), "its type, 99, is not known here"),
        (changed(12, 0), "its head has sizes of no Whisper"),
        (changed(12, 64), "its head has sizes of no Whisper"),
        (changed(20, 2), "tensors are missing"),
        (changed(40, 128), r"its mel filters are 80 × 201, not 128 × 201"),
        (changed(56 + 4 * 80 * 201, 1 << 30), r"it lists 1073741824 of 51864 tokens"),
        (changed(56 + 4 * 80 * 201, -1), r"it lists -1 of 51864 tokens"),
        (changed(60 + 4 * 80 * 201, 1 << 30), "it is cut"),
        (lambda data: data.replace(NAME, NAME[:-1] + b"x"), "weighx is there twice, or has another shape"),
        (lambda data: data.replace(NAME, NAME.replace(b"mlp.0", b"mlp.2")), "another shape than the head says"),
        (lambda data: data + b"\0" * 12, "a tensor has no name and shape"),
        (lambda data: data + b"\0", "it is cut"),
        (
            lambda data: changed(data.index(NAME) - 12, 2)(data),
            "mlp.0.weight is of type 2, and float16 stores it as 1",
        ),
    ],
)
def test_what_whisper_cpp_would_not_survive_is_refused(
    change: Callable[[bytes], bytes], said: str, written: Path, tmp_path: Path
) -> None:
    path = tmp_path / "ggml.bin"
    path.write_bytes(change(written.read_bytes()))
    with pytest.raises(BuildError, match=said):
        ggml.read(path)


def test_a_file_is_a_candidate_and_so_is_its_folder_where_it_is_alone(written: Path) -> None:
    backend = WhisperCppBackend()
    for place in (written, written.parent):
        found = find(backend, str(place), OPTION)
        assert (found.stored, found.files) == ("float16", ("ggml-small.bin",))
        folder = folder_of(backend, "float16", str(place), OPTION)
        assert (folder.name, folder.directory) == (place.name, written)
    kind = kind_of(written)
    assert kind is not None
    assert kind.what == "a model that whispercpp runs, in float16"
    assert f"--whisperq-candidate whispercpp@{written}" in kind.remedy


def test_a_file_is_found_from_any_folder(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("_pywhispercpp")
    monkeypatch.chdir(written.parent)
    (one,) = resolve({"whisperq_candidate": f"whispercpp@{written.name}"}).candidates
    assert (one.location, one.precision, str(one)) == (str(written), "float16", "whispercpp:float16@ggml-small.bin")


def test_one_of_several_files_has_to_be_named(written: Path, tmp_path: Path) -> None:
    for name in ("ggml-a.bin", "ggml-b.bin"):
        (tmp_path / name).write_bytes(written.read_bytes()[:100])
    with pytest.raises(BuildError, match=r"several ggml files: ggml-a\.bin, ggml-b\.bin; name one of them"):
        find(WhisperCppBackend(), str(tmp_path), OPTION)


def test_what_is_no_ggml_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"other")
    assert WhisperCppBackend().look(tmp_path) is None
    with pytest.raises(BuildError, match=r"holds no model that whispercpp runs"):
        find(WhisperCppBackend(), str(tmp_path / "model.bin"), OPTION)
    with pytest.raises(BuildError, match=r"is neither a file, a folder nor a file on the hub \(OWNER/NAME/FILE\)"):
        find(WhisperCppBackend(), "owner/name", OPTION)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ('{"vocab_size": 1500, "d_model": 8}', "knows vocabularies of 51864, 51865, 51866 tokens; .* has 1500"),
        ('{"vocab_size": 51865, "d_model": 8, "encoder_ffn_dim": 32, "decoder_ffn_dim": 16}', "four times as wide"),
        (
            '{"vocab_size": 51865, "d_model": 8, "encoder_ffn_dim": 32, "decoder_ffn_dim":32, "tie_word_embeddings":0}',
            "says words by the weights it reads them by",
        ),
        ('{"vocab_size": 51865, "d_model": 8, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}', "^$"),
        ("[]", "^$"),
        ("{", "^$"),
    ],
)
def test_a_checkpoint_that_it_cannot_run_is_refused(config: str, reason: str, tmp_path: Path) -> None:
    import re

    (tmp_path / "config.json").write_text(config)
    assert re.search(reason, WhisperCppBackend().refusal(tmp_path))


def test_letters_stand_for_all_bytes() -> None:
    known = letters()
    assert sorted(known.values()) == [bytes([byte]) for byte in range(256)]
    assert (known["Ġ"], known["Ċ"], known["a"]) == (b" ", b"\n", b"a")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("model.encoder.conv1.bias", "encoder.conv1.bias"),
        ("model.encoder.embed_positions.weight", "encoder.positional_embedding"),
        ("model.decoder.embed_tokens.weight", "decoder.token_embedding.weight"),
        ("model.decoder.layer_norm.bias", "decoder.ln.bias"),
        ("model.encoder.layers.11.final_layer_norm.bias", "encoder.blocks.11.mlp_ln.bias"),
        ("model.decoder.layers.0.encoder_attn_layer_norm.weight", "decoder.blocks.0.cross_attn_ln.weight"),
        ("model.decoder.layers.0.fc2.weight", "decoder.blocks.0.mlp.2.weight"),
    ],
)
def test_weights_have_the_names_of_openai(key: str, name: str) -> None:
    assert openai_name(key) == name
