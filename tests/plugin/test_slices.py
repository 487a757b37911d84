"""Slices as users name them: the columns of a manifest."""

from scripted_project import Project, slipping


def test_slices_are_judged_and_named(project: Project) -> None:
    project.record(count=300, int8=slipping)
    rows = (project.corpus / "metadata.csv").read_text(encoding="utf-8").splitlines()
    lines = [f"{rows[0]},line"] + [f"{row},{'gsm' if n % 3 == 0 else 'isdn'}" for n, row in enumerate(rows[1:])]
    lines[1] = lines[1].rsplit(",", 1)[0] + ",analogue"
    (project.corpus / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    project.pytester.makepyfile(
        "import pytest\n\n@pytest.mark.whisperq_accuracy(max_drop=6, per='slice')\ndef test_it():\n    pass\n"
    )
    result = project.run()
    result.assert_outcomes(passed=1)
    small = "too small to be judged at max_drop=6: line=analogue (1 utterance)"
    result.stdout.fnmatch_lines([" line=*PASS", "accuracy: worst slice line=*", f"accuracy: {small}"])
