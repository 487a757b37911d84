"""Optional packages: imported late, and one line about what to install when they are absent or broken."""

import sys
from pathlib import Path

import pytest

from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import MissingDependency


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package ``fakelib`` with the given source; forgotten afterwards."""
    (tmp_path / "fakelib").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "fakelib", raising=False)
    return tmp_path / "fakelib" / "__init__.py"


def require() -> object:
    try:
        return optional_imports.require("fakelib", extra="openvino", purpose="do things")
    finally:
        sys.modules.pop("fakelib", None)


def test_an_installed_module_is_imported(package: Path) -> None:
    package.write_text("answer = 42", encoding="utf-8")
    assert require().answer == 42


def test_missing_modules_are_told_without_importing_the_others(package: Path) -> None:
    package.write_text("raise RuntimeError('imported')", encoding="utf-8")
    assert optional_imports.missing(("fakelib", "surely_not_installed")) == ["surely_not_installed"]


def test_an_absent_module_gets_the_install_line() -> None:
    with pytest.raises(MissingDependency) as caught:
        optional_imports.require("surely_not_installed.part", extra="openvino", purpose="export models")
    assert str(caught.value) == (
        "surely_not_installed is not installed; it is needed to export models; "
        'run: pip install "pytest-whisperq[openvino]"'
    )


def test_what_a_module_lacks_in_turn_is_the_one_named(package: Path) -> None:
    package.write_text("import surely_not_installed", encoding="utf-8")
    with pytest.raises(MissingDependency, match=r"^surely_not_installed is not installed"):
        require()


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("raise ImportError('libfoo.so: cannot open')", "libfoo.so: cannot open"),
        ("raise OSError('libbar.so.3')", "libbar.so.3"),
        ("raise RuntimeError('first line\\nsecond')", "first line"),
        ("try:\n    raise OSError('root')\nexcept OSError as e:\n    raise ImportError('outer') from e", "root"),
        ("raise ModuleNotFoundError('lazy attribute', name='sys')", "lazy attribute"),
        ("raise ImportError", "ImportError"),
    ],
)
def test_a_broken_module_is_not_called_absent(package: Path, source: str, cause: str) -> None:
    package.write_text(source, encoding="utf-8")
    with pytest.raises(MissingDependency) as caught:
        require()
    assert caught.value.what == f"fakelib is installed but cannot be imported (needed to do things): {cause}"


def test_a_broken_torchvision_is_named_with_its_remedy(package: Path) -> None:
    cause = "raise RuntimeError('operator torchvision::nms does not exist')"
    package.write_text(
        f"try:\n    {cause}\nexcept RuntimeError as e:\n    raise ImportError('Failed to import x') from e",
        encoding="utf-8",
    )
    with pytest.raises(MissingDependency, match=r"takes fakelib down with it .*run: pip uninstall torchvision"):
        require()


def test_a_lazy_attribute_that_breaks_is_the_same_one_error(package: Path) -> None:
    package.write_text(
        "good = 1\ndef __getattr__(name):\n    raise RuntimeError('torchvision is too old')", encoding="utf-8"
    )
    assert optional_imports.require_attribute("fakelib", "good", extra="torch", purpose="read") == 1
    with pytest.raises(MissingDependency, match=r"takes fakelib\.Model down with it .*pip uninstall torchvision"):
        optional_imports.require_attribute("fakelib", "Model", extra="torch", purpose="read")
    sys.modules.pop("fakelib", None)
