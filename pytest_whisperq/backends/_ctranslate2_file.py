"""What a CTranslate2 folder holds, read from the heads of the variables in its ``model.bin``.

The layout is that of ``ctranslate2/specs/model_spec.py`` (``ModelSpec._serialize``): version, name and revision of the
model, then each variable as name, shape, type, length and data.
"""

import json
import re
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple

from pytest_whisperq.backends import ReadyMade, _checkpoint, _whisper
from pytest_whisperq.system.errors import BuildError

WEIGHTS = "model.bin"
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_FILES = frozenset({WEIGHTS, *_VOCABULARIES, *_whisper.FILES})
_VERSIONS = (5, 6)
"""Versions of the layout that CTranslate2 has written since it knows Whisper."""
_TYPES = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
"""Types of stored values, by the number that stands for each."""
_LAYER = re.compile(r"(encoder|decoder)/layer_(\d+)/")
_COPY = "copy the folder again, or convert the model again"


class _Variable(NamedTuple):
    shape: tuple[int, ...]
    type: str


def look(directory: Path, precisions: Mapping[str, str], *, needs: tuple[str, ...]) -> ReadyMade | None:
    """Return what a folder holds; None where there is no ``model.bin`` of a Whisper.

    ``precisions`` are all that CTranslate2 can load it as → what each executes, ``needs`` the files without which its
    front end cannot be made. Raises `BuildError` for a file that is cut, and for a folder without a vocabulary.
    """
    path = directory / WEIGHTS
    variables = _variables(path) if path.is_file() else None
    if variables is None:
        return None
    names = {entry.name for entry in directory.iterdir() if entry.is_file()}
    for alternatives in (("config.json",), _VOCABULARIES):
        if not names & set(alternatives):
            raise BuildError(f"there is no {' or '.join(alternatives)}", where=str(directory), remedy=_COPY)
    stored = _precision(variables)
    return ReadyMade(
        directory=directory,
        precisions={stored: precisions[stored], **precisions},
        files=tuple(sorted(names & _FILES)),
        lacks=tuple(name for name in _whisper.lacking(directory) if name in needs),
        sizes=_sizes(variables),
    )


def check_heads(directory: Path) -> None:
    """Raise `DecodeError` where a converted model names alignment heads in layers that it does not have."""
    found = _variables(directory / WEIGHTS) or {}
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    _checkpoint.check_heads(directory, config.get("alignment_heads"), _sizes(found)["decoder_layers"])


def _precision(variables: Mapping[str, _Variable]) -> str:
    """Return how most matrices are stored and, for int8, what all else is stored in, if not in float32."""
    matrices = Counter(one.type for name, one in variables.items() if len(one.shape) > 1 and name.endswith("/weight"))
    rest = Counter(one.type for one in variables.values() if len(one.shape) == 1 and "float" in one.type)
    stored, other = (counts.most_common(1)[0][0] for counts in (matrices, rest))
    return f"{stored}-{other}" if stored == "int8" and other != "float32" else stored


def _sizes(variables: Mapping[str, _Variable]) -> dict[str, int]:
    layers = [match for name in variables if (match := _LAYER.match(name))]
    tokens, width = variables["decoder/embeddings/weight"].shape
    return {
        "vocab_size": tokens,
        "d_model": width,
        "num_mel_bins": variables["encoder/conv1/weight"].shape[1],
        "encoder_layers": len({match[2] for match in layers if match[1] == "encoder"}),
        "decoder_layers": len({match[2] for match in layers if match[1] == "decoder"}),
    }


def _variables(path: Path) -> dict[str, _Variable] | None:
    """Return shape and type of every stored variable by name; None for a file that is no Whisper of CTranslate2.

    Raises `BuildError` for one that ends too soon, or has another layout.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            (version,) = _read(file, "I")
            name = _text(file) if version <= 0xFF else ""  # else it is another tool's file of the same name
        except (struct.error, UnicodeDecodeError):
            return None
        if name != "WhisperSpec":
            return None
        if version not in _VERSIONS:
            raise BuildError(
                f"its layout is version {version}, and those known are {', '.join(map(str, _VERSIONS))}",
                where=str(path),
                remedy="convert the model with a version of ctranslate2 that pytest-whisperq is tested with",
            )
        try:
            _, count = _read(file, "II")
            variables = {}
            for _ in range(count):
                name = _text(file)
                (rank,) = _read(file, "B")
                shape = _read(file, f"{rank}I")
                kind, length = _read(file, "B"), _read(file, "I")[0]
                variables[name] = _Variable(shape, _TYPES[kind[0]])
                if file.seek(length, 1) > size:
                    raise EOFError
            return variables
        except (struct.error, UnicodeDecodeError, IndexError, EOFError) as error:
            raise BuildError("the file is cut or damaged", where=str(path), remedy=_COPY) from error


def _read(file: IO[bytes], layout: str) -> tuple[int, ...]:
    layout = f"={layout}"
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def _text(file: IO[bytes]) -> str:
    (length,) = _read(file, "H")
    return file.read(length).decode().rstrip("\0")
