"""What the doctor finds, and how to mend it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_whisperq.__main__ import main
from pytest_whisperq.backends import Requirement
from pytest_whisperq.commands import doctor
from pytest_whisperq.commands.doctor import Symptom, examine
from pytest_whisperq.system import package_data


@pytest.fixture(autouse=True)
def one_backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look at one backend only, whose packages are quickly imported."""
    monkeypatch.setattr(doctor, "names", lambda: ("ctranslate2", "scripted"))
    monkeypatch.setattr("pytest_whisperq.backends.ctranslate2.CTranslate2Backend.modules", ("numpy",))
    doctor._unloadable.cache_clear()
    yield
    doctor._unloadable.cache_clear()


def found(cache: Path) -> dict[str, Symptom]:
    return {symptom.name: symptom for symptom in examine(cache)}


def test_a_machine_in_order_has_nothing_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--cache-dir", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "nothing is broken" in shown
    assert "ok      ctranslate2: " in shown
    assert "scripted" not in shown


def test_a_backend_that_is_not_installed_is_named_with_the_install_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_whisperq.backends.ctranslate2.CTranslate2Backend.modules", ("no_such_module",))
    symptom = found(tmp_path)["ctranslate2"]
    assert symptom.is_optional
    assert symptom.fix == 'pip install "pytest-whisperq[ctranslate2]"'


def test_a_precision_whose_package_is_absent_is_not_said_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = Requirement(extra="", modules=("no_such_module",), distributions=("no-such-package",))
    present = Requirement(extra="", modules=("numpy",), distributions=("numpy",))
    wanted = {"int8": absent, "float32": present}
    monkeypatch.setattr("pytest_whisperq.backends.ctranslate2.CTranslate2Backend.requirements", wanted)
    versions, _, runs = found(tmp_path)["ctranslate2"].state.partition("; runs ")
    assert "int8" not in runs.split(", ")
    assert "float32" in runs.split(", ")
    assert ", numpy " in versions
    assert "no-such-package" not in versions


def test_a_backend_that_does_not_load_is_broken_and_the_reason_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "brokenmodule.py").write_text("raise ImportError('libtorch_cuda.so: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("pytest_whisperq.backends.ctranslate2.CTranslate2Backend.modules", ("brokenmodule",))
    assert main(["doctor", "--cache-dir", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "broken  ctranslate2: brokenmodule is installed but cannot be imported" in shown
    assert "libtorch_cuda.so" in shown
    assert "1 broken" in shown


def test_a_cache_that_cannot_be_written_or_is_full_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    symptom = found(tmp_path / "file")["cache directory"]
    assert "Not a directory" in symptom.state
    assert "--whisperq-cache-dir" in symptom.fix
    monkeypatch.setattr(doctor, "ROOM", 10**18)
    assert "cache prune" in found(tmp_path)["cache directory"].fix


def test_a_cache_in_a_folder_that_is_closed_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", closed)  # as it does up to Python 3.13 below a folder of somebody else
    assert "Permission denied" in found(tmp_path / "cache")["cache directory"].state


def test_embedded_recordings_that_changed_are_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = tmp_path / "audio"
    shutil.copytree(package_data.corpus_directory(), audio / "evaluation")
    (audio / "SHA256SUMS").write_text(f"{'0' * 64}  evaluation/metadata.csv\n")
    monkeypatch.setattr(package_data, "corpus_directory", lambda: audio / "evaluation")
    symptom = found(tmp_path)["embedded data"]
    assert symptom.state == "1 recordings have changed, first evaluation/metadata.csv"
    assert "reinstall" in symptom.fix
