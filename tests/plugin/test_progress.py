"""Long work shows on a terminal and stays out of logs."""

import os
import pty
import subprocess
import sys

from scripted_project import GATES, Project, same

OPTIONS = [
    *("--whisperq-backend=scripted", "--whisperq-baseline=scripted", "--whisperq-model=model"),
    *("--whisperq-corpus=calls", "--whisperq-cache-dir=cache", "-p", "no:xdist"),
]


def run_on_terminal(project: Project) -> str:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", *OPTIONS]
    with subprocess.Popen(command, cwd=project.pytester.path, stdout=theirs, stderr=theirs, close_fds=True):
        os.close(theirs)
        shown = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other end is gone
                break
            if not chunk:
                break
            shown += chunk
    os.close(ours)
    return shown.decode(errors="replace")


def test_building_and_decoding_show_on_a_terminal(project: Project) -> None:
    project.record(40, int8=same)
    project.pytester.makepyfile(GATES)
    shown = run_on_terminal(project)
    assert "whisperq: reading audio 1/40" in shown
    assert "whisperq: scripted:float32 is being built …" in shown
    assert "whisperq: scripted:int8 decodes 16/40" in shown
    assert "whisperq gates" in shown


def test_a_log_stays_free_of_progress(project: Project) -> None:
    project.record(40, int8=same)
    project.pytester.makepyfile(GATES)
    result = project.pytester.run(sys.executable, "-m", "pytest", *OPTIONS)
    assert "whisperq gates" in result.stdout.str()
    for word in ("reading audio", "is being built", "decodes"):
        assert word not in result.stdout.str() + result.stderr.str()
