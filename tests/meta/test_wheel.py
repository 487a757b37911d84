"""What an installed wheel holds, and that it gates from any directory."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    (built,) = directory.glob("*.whl")
    return built


def test_the_wheel_carries_suites_model_and_recordings_and_installs_one_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "pytest_whisperq",
        f"{'-'.join(wheel.stem.split('-')[:2])}.dist-info",
    }
    for name in (
        "pytest_whisperq/py.typed",
        "pytest_whisperq/suites/test_parity.py",
        "pytest_whisperq/suites/test_accuracy.py",
        "pytest_whisperq/suites/corpus.py",
        "pytest_whisperq/history/schema.json",
        "pytest_whisperq/reporting/assets/report.html.j2",
        "pytest_whisperq/data/models/whisperq-micro/model.safetensors",
        "pytest_whisperq/data/models/whisperq-micro-distil.en/model.safetensors",
        "pytest_whisperq/data/models/whisperq-micro-translate/model.safetensors",
        "pytest_whisperq/data/audio/evaluation/metadata.csv",
        "pytest_whisperq/data/audio/README.md",
    ):
        assert name in names


def test_the_source_distribution_carries_what_tests_and_contributors_read(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "action.yml", "mkdocs.yml", "tox.ini"):
        assert name in names
    for name in (
        ".ci/lock.py",
        ".ci/run",
        ".github/workflows/ci.yml",
        "docs/ci.md",
        "tests/conftest.py",
        "docs/examples/make.py",
    ):
        assert name in names
    assert {path.name for path in ROOT.glob("constraints*.txt")} <= names
    assert not any(name.startswith("fixtures/make/work") for name in names)  # what the recipe downloaded here
    assert {f"docs/examples/{path.name}" for path in (ROOT / "docs" / "examples").glob("*.ipynb")} <= names


def test_an_installed_plugin_gates_from_any_directory(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    script = (
        "import json\nfrom pathlib import Path\n"
        "import pytest_whisperq\nfrom pytest_whisperq import load_corpus\nfrom pytest_whisperq.speech import audio\n"
        f"assert Path(pytest_whisperq.__file__).is_relative_to({str(site)!r})\n"
        "clips = load_corpus().utterances\n"
        "said = {audio.pcm_digest(audio.load(u.audio)): u.reference for u in clips}\n"
        "Path('model').mkdir()\n"
        "Path('model/scripted.json').write_text(json.dumps({'float32': said, 'int8': said}))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(site)}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env=environment)
    options = ["--whisperq-backend=scripted", "--whisperq-baseline=scripted", "--whisperq-model=model"]
    options += ["--whisperq-max-size-ratio=1.1"]  # a script is as long whatever the precision
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--pyargs", "pytest_whisperq.suites", *options, "--whisperq-cache-dir=cache"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
