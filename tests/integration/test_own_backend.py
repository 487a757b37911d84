"""A third party's backend on the embedded model, from the very lines of the documentation."""

import json
import re
import shutil
from pathlib import Path

import pytest

from pytest_whisperq.backends.ctranslate2 import CTranslate2Backend
from pytest_whisperq.system import package_data

DOCS = Path(__file__).parents[2] / "docs" / "own-backend.md"
BLOCKS = re.findall(r"^```(python|toml)\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
BACKEND, HOOK, ENTRY_POINT, CONVERTED, CONTRACT = (text for _, text in BLOCKS)
GATE = """
import pytest

@pytest.mark.whisperq_size(max_ratio=1.1)
@pytest.mark.whisperq_parity(max_divergence=0.999, min_exact_match=0.001)
def test_release():
    pass
"""


@pytest.fixture
def options(cache_dir: Path) -> tuple[str, ...]:
    return (
        *("--whisperq-max-utterances=8", "--whisperq-threads=1", f"--whisperq-cache-dir={cache_dir}"),
        *("-p", "no:xdist"),
    )


def test_the_documented_backend_takes_sixty_lines() -> None:
    assert len(BACKEND.strip().splitlines()) <= 60


def test_a_conftest_registers_a_backend_that_gates_and_keeps_the_contract(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    pytester.makepyfile(rounded_backend=BACKEND, test_release=GATE)
    pytester.makeconftest(f"from rounded_backend import RoundedBackend\n\n{HOOK}")
    pytester.makepyfile(test_contract=f"from rounded_backend import RoundedBackend\n{CONTRACT}")
    result = pytester.runpytest_subprocess("--whisperq-backend=rounded", *options)
    result.assert_outcomes(passed=13)
    result.stdout.fnmatch_lines(["rounded:int6, runs float32 on int6 weights; *"])


def test_an_entry_point_registers_a_backend_for_everyone(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    pytester.makepyfile(rounded_backend=BACKEND, test_release=GATE)
    info = pytester.path / "rounded_backend-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rounded-backend\nVersion: 1.0\n")
    group, line = re.fullmatch(r'\[project\.entry-points\."(.*)"\]\n(.*)\n', ENTRY_POINT).groups()  # type: ignore[union-attr]
    (info / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    pytester.syspathinsert()
    # A precision that no other test has built.
    result = pytester.runpytest_subprocess("--whisperq-backend=rounded", "--whisperq-precision=int4", *options)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["rounded:int4, runs float32 on int4 weights; *"])


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model as CTranslate2 makes it, in ``int8`` and in ``float32``."""
    folder = tmp_path_factory.mktemp("converted")
    for precision in ("int8", "float32"):
        CTranslate2Backend().build(precision, package_data.model_directory(), folder / precision, None)
    return folder


def test_a_model_that_was_converted_elsewhere_is_gated_as_it_is(
    converted: Path, pytester: pytest.Pytester, options: tuple[str, ...], cache_dir: Path
) -> None:
    folder = pytester.path / re.search(r'Path\("(.*?)"\)', CONVERTED)[1]  # type: ignore[index]
    shutil.copytree(converted / "int8", folder)
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
    pytester.makeconftest(CONVERTED)
    pytester.makepyfile(GATE)
    deployed = ("--whisperq-backend=deployed", "--whisperq-precision=int8", *options)
    result = pytester.runpytest_subprocess(*deployed, "--whisperq-report=out")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["deployed:int8, runs int8_float32; *"])
    (built,) = (
        path.parent / "model"
        for path in cache_dir.glob("artifacts/*/artifact.json")
        if json.loads(path.read_text(encoding="utf-8"))["backend"] == "deployed"
    )
    for name in ("config.json", "model.bin"):
        assert (built / name).read_bytes() == (folder / name).read_bytes()
    document = json.loads((pytester.path / "out" / "report.json").read_text())
    assert document["models"]["deployed:int8"]["notes"] == []
    # Speed and streaming are compared with the backend's own float32, which is no copy of what is deployed.
    result = pytester.runpytest_subprocess(*deployed, "--whisperq-baseline=deployed:float32")
    result.assert_outcomes(passed=1)
    shutil.copytree(converted / "float32", pytester.path / "other")  # which every processor executes
    pytester.makeconftest(CONVERTED.replace(str(folder.relative_to(pytester.path)), "other"))
    result = pytester.runpytest_subprocess(*deployed)
    assert re.search("deployed:int8 was asked for but 'float32' executes here", result.stdout.str())
