"""Who may import whom: the layers of the package, read from its source."""

import ast
from pathlib import Path

import pytest

import pytest_whisperq

PACKAGE = Path(pytest_whisperq.__file__).parent

# Lower layers first; a module imports from its own layer or below. Packages stand for all their modules.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "_lazy", "_files", "_limits", "_outputs", "_riff", "_typed", "choices", "options", "privacy"),
    ("audio", "corpus", "embedded", "environment", "normalize", "streaming", "verdict"),
    ("backends",),
    ("spec", "artifacts", "audio_index", "calibration", "decode", "random_model", "taught", "transcribe"),
    ("measure",),
    ("candidates", "config", "gates", "report"),
    ("workbench", "cache", "early", "stopwatch", "waivers"),
    ("speed", "streams", "stream_gate", "history", "costs", "pipeline", "contract", "preflight"),
    ("run", "sweep", "chunking", "streaming_report", "collect", "export", "publish", "lint", "starter", "doctor"),
    ("plugin", "commands", "__main__"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "data" not in path.parts and "suites" not in path.parts)


def top(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imported_modules(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downward(path: Path) -> None:
    own = top(path)
    if own == "__init__":
        return  # the door: lazy exports of everything
    for name in imported_modules(ast.parse(path.read_text(encoding="utf-8"))):
        if name.startswith("pytest_whisperq."):
            other = name.split(".")[1]
            if other in LEVEL:
                assert LEVEL[other] <= LEVEL[own], f"{own} imports {name} from a higher layer"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_plugin_imports_pytest(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if top(path) == "contract":  # its adapter may, when it is called
        tree = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    names = imported_modules(tree)
    uses = any(name.split(".")[0] in ("pytest", "_pytest") for name in names)
    assert uses <= (top(path) == "plugin")


def test_every_module_has_a_layer() -> None:
    assert {top(path) for path in MODULES} - {"__init__"} == set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
