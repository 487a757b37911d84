"""What a run concludes does not depend on whether its corpus is held in memory or read from the disk."""

from typing import Any

import pytest
from scripted_project import GATES, Project, catastrophic, report, without_times

from pytest_whisperq.system import on_disk

TESTS = f"""{GATES}
@pytest.mark.whisperq_catastrophe
@pytest.mark.whisperq_language
@pytest.mark.whisperq_accuracy(per="slice", max_drop=20)
def test_the_rest():
    pass
"""


def now_and_then(number: int, text: str) -> str:
    return text.replace("alpha", "bravo") if number % 9 == 0 else text


@pytest.mark.parametrize("speakers", [0, 3, 30])
def test_a_corpus_on_the_disk_is_judged_as_one_in_memory(
    project: Project, monkeypatch: pytest.MonkeyPatch, speakers: int
) -> None:
    project.record(90, speakers=speakers, int8=now_and_then, int4_sym=catastrophic)
    project.pytester.makepyfile(TESTS)

    def judged(few: int, folder: str) -> Any:
        monkeypatch.setattr(on_disk, "FEW", few)
        cache = f"--whisperq-cache-dir=cache-{few}"
        project.run("--whisperq-precision=int8,int4-sym", cache, f"--whisperq-report={folder}")
        return without_times(report(project, folder))

    held = judged(1000, "held")
    assert {gate["verdict"] for gate in held["gates"]} >= {"FAIL", "INCONCLUSIVE"}
    assert judged(5, "read") == held
    assert judged(5, "again") == held  # with all in the cache
