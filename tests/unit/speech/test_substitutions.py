"""A team's own substitutions: what files are read, what they replace, and which are refused."""

import os
from pathlib import Path

import pytest

from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.substitutions import Substitutions, read_substitutions
from pytest_whisperq.system.errors import ConfigError


def written(folder: Path, text: str, name: str = "own.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


GLM = """;; NIST's
* name "test"
[hmm]  => [%hesitation] / [ ] __ [ ] ;; a sound
colour => color
# nothing
[um] => []
"""


@pytest.mark.parametrize(
    ("name", "text", "pairs"),
    [
        ("a.toml", '[replace]\ncolour = "color"\n"e.g." = "for example"', {"colour": "color", "e.g.": "for example"}),
        ("a.toml", '[variants]\nAcme = ["acme", "ackme  inc"]', {"acme": "Acme", "ackme inc": "Acme"}),
        ("a.glm", GLM, {"hmm": "%hesitation", "colour": "color", "um": ""}),
        ("a.tsv", "colour\tcolor\ncheque\tcheck\n", {"colour": "color", "cheque": "check"}),
        ("a.txt", "\ufeffcolour => color\r\ncolour => color\r\n", {"colour": "color"}),  # twice the same
    ],
)
def test_what_is_read(name: str, text: str, pairs: dict[str, str], tmp_path: Path) -> None:
    assert read_substitutions(written(tmp_path, text, name)).pairs == pairs


@pytest.mark.parametrize(
    ("pairs", "text", "expected"),
    [
        ({"colour": "color"}, "Colour, COLOUR and colours", "color, color and colours"),
        ({"acme cloud": "AcmeCloud"}, "acme   Cloud", "AcmeCloud"),
        ({"new york": "ny", "new york city": "nyc"}, "new york city, new york", "nyc, ny"),
        ({"e.g.": "for example"}, "e.g. this, e.g this", "for example this, e.g this"),
        ({"&": "and", "c++": "c plus plus"}, "R&D in C++.", "R and D in c plus plus ."),
        ({"um": ""}, "um, yes um", ", yes"),
        ({"हिन्द": "x"}, "हिन्दी हिन्द", "हिन्दी x"),
        ({"谢谢": "多谢"}, "真谢谢你", "真多谢你"),
        ({"strasse": "street"}, "Straße strasse", "Straße street"),
        ({"i": "eye"}, "İ ı i", "eye eye eye"),
    ],
)
def test_what_is_replaced(pairs: dict[str, str], text: str, expected: str) -> None:
    assert Substitutions(pairs).through(str)(text) == expected


def test_pairs_are_spelt_as_texts_are() -> None:
    assert Substitutions({"it’s": "it is"}).through(lambda text: text.replace("’", "'"))("It's") == "it is"


def test_what_is_taken_out_before_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="--whisperq-substitutions: '<unk>' is never found: the normalizer takes it out"
    ):
        normalizers.get("whisper-basic", Substitutions({"<unk>": "x", "a": "b"}))
    assert normalizers.get("identity", Substitutions({"<unk>": "x"}))("<unk> a") == "x a"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "[replace", r"a\.toml: is not TOML"),
        ("a.toml", "[replaces]\na = 'b'", r"a\.toml: unknown table 'replaces' \(did you mean 'replace'\?\)"),
        ("a.toml", "replace = 3", r"a\.toml: replace must be a table \(got 3\)"),
        ("a.toml", "[replace]\na = ['b']", r"a\.toml: replace\.a: must be a text"),
        ("a.toml", "[variants]\na = 'b'", r"a\.toml: variants\.a: must be a list of texts"),
        ("a.toml", "[replace]\n'' = 'b'", r"a\.toml: replace\.: finds nothing"),
        ("a.toml", "[replace]", r"a\.toml holds no substitution"),
        ("a.toml", "[replace]\na = 'b'\nA = 'c'", r"a\.toml: replace\.A: replaces 'A' by 'c', .* earlier entry by 'b'"),
        (
            "a.txt",
            "it’s => it is\nit's => its",
            r"a\.txt:2: replaces \"it's\" by 'its', and an earlier entry by 'it is'",
        ),
        ("a.toml", "[replace]\na = 'b'\nb = 'c'", r"a\.toml: 'a' becomes 'b', of which another entry makes 'c'"),
        ("a.toml", "[replace]\ndr = 'dr dr'", r"a\.toml: 'dr' becomes 'dr dr', of which another entry makes"),
        ("a.txt", "colour color", r"a\.txt:1: is no substitution: 'colour color'; write found => becomes"),
        ("a.txt", "\na\tb\tc", r"a\.txt:2: has more than two columns"),
        ("a.glm", "a => b / [x] __ [ ]", r"a\.glm:1: replaces in the context '\[x\] __ \[ \]' only"),
        ("a.glm", "[a] => [{b / c}]", r"a\.glm:1: gives alternatives in braces"),
    ],
)
def test_what_is_refused(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        read_substitutions(written(tmp_path, text, name))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--whisperq-substitutions: cannot read .*nothing\.toml"):
        read_substitutions(tmp_path / "nothing.toml")
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"a\.toml is not UTF-8"):
        read_substitutions(tmp_path / "a.toml")


def test_a_pipe_is_refused_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="pipe is no regular file"):
        read_substitutions(tmp_path / "pipe")


def test_the_digest_is_that_of_what_is_replaced_in_whatever_file(tmp_path: Path) -> None:
    toml = read_substitutions(written(tmp_path, "[replace]\na = 'b'\nc = 'd'"))
    lines = read_substitutions(written(tmp_path, "c => d\na => b", "own.txt"))
    assert toml.digest == lines.digest != Substitutions({"a": "b"}).digest
