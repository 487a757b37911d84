"""A third party's backend on the embedded model, from the very lines of the documentation."""

import re
import shutil
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "own-backend.md"
BLOCKS = re.findall(r"^```(python|toml)\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
BACKEND, HOOK, ENTRY_POINT, LOOK, CONTRACT = (text for _, text in BLOCKS)
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


@pytest.mark.matrix
def test_a_conftest_registers_a_backend_that_gates_and_keeps_the_contract(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    pytester.makepyfile(rounded_backend=BACKEND, test_release=GATE)
    pytester.makeconftest(f"from rounded_backend import RoundedBackend\n\n{HOOK}")
    pytester.makepyfile(test_contract=f"from rounded_backend import RoundedBackend\n{CONTRACT}")
    result = pytester.runpytest_subprocess("--whisperq-backend=rounded", *options)
    result.assert_outcomes(passed=13)
    result.stdout.fnmatch_lines(["rounded:int6, runs float32 on int6 weights; *"])


@pytest.mark.matrix
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


@pytest.mark.matrix
def test_the_documented_backend_takes_a_model_from_a_folder(
    pytester: pytest.Pytester, options: tuple[str, ...], cache_dir: Path
) -> None:
    pytester.makepyfile(rounded_backend=f"{BACKEND}\n{LOOK}", test_release=GATE)
    hook = HOOK.replace("rounded", "deployed-rounded").replace("RoundedBackend", "DeployedRoundedBackend")
    pytester.makeconftest(f"from rounded_backend import DeployedRoundedBackend\n\n{hook}")
    build = "def test_it(whisperq_build):\n    print('BUILT', whisperq_build('deployed-rounded', 'int6').directory)\n"
    pytester.makepyfile(test_build=build)
    result = pytester.runpytest_subprocess("-s", "test_build.py", *options)
    built = Path(re.search("BUILT (.*)", result.stdout.str())[1])  # type: ignore[index]
    folder = pytester.path / "calls"
    shutil.copytree(built, folder)
    (folder / "rounded-int6").touch()
    result = pytester.runpytest_subprocess("--whisperq-candidate=deployed-rounded@calls", "test_release.py", *options)
    result.assert_outcomes(passed=1)
    told = r"deployed-rounded:int6@calls, runs float32 on int6 weights; .*, converted\s+elsewhere"
    assert re.search(told, result.stdout.str())
