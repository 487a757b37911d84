"""Two xdist workers on one model: both decode, and no clip is decoded by both."""

import json
import os
from collections import Counter

import pytest
from scripted_project import GATES, Project, slipping

HEARD = """
import json, os, time
from pathlib import Path
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.speech.audio import pcm_digest

class Met(ScriptedBackend):
    name = "met"

    def load(self, precision, directory, threads):
        found = super().load(precision, directory, threads)
        said = found.transcribe

        arrived = Path(__file__).with_name("arrived")
        arrived.mkdir(exist_ok=True)
        (arrived / f"{precision}-{os.getpid()}").touch()

        until = time.monotonic() + 60

        def transcribe(clips):
            while len(list(arrived.glob(f"{precision}-*"))) < 2 and time.monotonic() < until:
                time.sleep(0.01)  # for the other worker, who does not come if it waits for this one
            with Path(__file__).with_name("heard.jsonl").open("a") as file:
                for clip in clips:
                    file.write(json.dumps([precision, pcm_digest(clip.samples), os.getpid()]) + "\\n")
            return said(clips)

        found.transcribe = transcribe
        return found

def pytest_whisperq_backends():
    return {"met": Met}
"""


@pytest.mark.skipif(os.name == "nt", reason="one worker waits for the other there")
def test_workers_share_the_clips_of_a_model(request: pytest.FixtureRequest) -> None:
    project = Project(request, ("-n2",))
    project.record(200, int8=slipping)
    project.pytester.makeconftest(HEARD)
    project.pytester.makepyfile(GATES)
    options = "--whisperq-decode-batch=4", "--whisperq-max-drop=3", "--whisperq-early-stop=false"
    result = project.run("--whisperq-candidate=met:int8", "--whisperq-baseline=met", *options)
    result.assert_outcomes(passed=2)
    heard = [json.loads(line) for line in (project.pytester.path / "heard.jsonl").read_text("utf-8").splitlines()]
    assert set(Counter((precision, clip) for precision, clip, _ in heard).values()) == {1}
    assert len(heard) == 400
    for precision in ("float32", "int8"):
        assert len({worker for one, _, worker in heard if one == precision}) == 2
