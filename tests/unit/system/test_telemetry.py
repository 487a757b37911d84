"""Nothing is sent anywhere: OpenVINO and NNCF would, unless a package is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
{first}
import openvino, openvino.tools.ovc
import nncf.telemetry
print(type(nncf.telemetry.telemetry).__name__, openvino.tools.ovc.telemetry.__module__)
print(sys.modules["openvino_telemetry"])
"""


@pytest.mark.parametrize(
    "first",
    [
        "import pytest_whisperq.backends.openvino",
        "from pytest_whisperq.commands.doctor import load; load(('openvino',), '')",
    ],
)
def test_no_runtime_reports_its_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CI", "NNCF_CI", "TF_BUILD", "JENKINS_URL"):  # where they would not send anything anyway
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(first=first)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["MagicMock openvino.tools.ovc.telemetry_stub", "None"]
    assert list(tmp_path.iterdir()) == []  # with telemetry there would be an identifier of this user
