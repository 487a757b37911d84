"""``--whisperq-diagnose`` names the block that is to blame, and gates the candidate again with that one in float32."""

import json
from importlib import resources

import jsonschema
import pytest
from scripted_project import GATES, Project, catastrophic, same

SCHEMA = json.loads((resources.files("pytest_whisperq.history") / "schema.json").read_text(encoding="utf-8"))

# A backend of three blocks. Two words are lost where encoder.layers.1 is quantized, which is what int8 does.
BLOCKS = """
import json

from pytest_whisperq.backends import Noise
from pytest_whisperq.backends.scripted import ScriptedBackend, ScriptedTranscriber

BROKEN = "encoder.layers.1"

class Mixed:
    blocks = ["encoder.layers.0", BROKEN, "decoder.layers.0"]

    def __init__(self, folder, clips):
        script = json.loads((folder / "scripted.json").read_text(encoding="utf-8"))
        self.clips, self.texts = clips, {name: script[name] for name in ("float32", "int8")}

    def transcribe(self, chosen):
        texts = self.texts["int8" if BROKEN in chosen else "float32"]
        return ScriptedTranscriber(texts, "").transcribe(self.clips)

    def noise(self):
        return {
            name: Noise(block=30.0, scores=4.0 if name == BROKEN else 35.0, layer=name[8:] + ".fc2", layer_alone=9.0)
            for name in self.blocks
        }

    def executes(self, float32):
        return len(float32) == 1

class Blocky(ScriptedBackend):
    name = "blocky"
    by_block = frozenset({"int8"})

    def build_without(self, ignored, precision, source, directory, calibration):
        super().build(precision, source, directory, calibration)
        script = json.loads((directory / "scripted.json").read_text(encoding="utf-8"))
        if BROKEN in ignored:
            script["int8"] = script["float32"]
        (directory / "scripted.json").write_text(json.dumps(script), encoding="utf-8")
        return []

    def mix(self, original, quantized, clips, threads):
        return Mixed(quantized, clips)

def pytest_whisperq_backends():
    return {"blocky": Blocky}
"""


@pytest.fixture
def blocky(project: Project) -> Project:
    project.record(240, int8=catastrophic)
    project.pytester.makeconftest(BLOCKS)
    project.pytester.makepyfile(GATES)
    return project


def test_the_block_to_blame_is_named_and_the_repair_is_gated(blocky: Project) -> None:
    result = blocky.run("--whisperq-backend=blocky", "--whisperq-diagnose", "--whisperq-report=out", "-k", "accuracy")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "whisperq: diagnosed on 32 utterances of the corpus, set aside by seed 0 and not evaluated: *",
            "*whisperq diagnosis*",
            "blocky:int8 on 32 clips of calls, set aside: drop +1?.?? (*) points with all blocks quantized",
            "  block * only it quantized * only it in float32",
            "  encoder.layers.1 * 4.0 * fc2 9.0 * +1* +0.00 *",
            "repaired by --whisperq-ignored-blocks=encoder.layers.1: drop +0.00 *",
            "second gate, accuracy of blocky:int8 without encoder.layers.1 on calls less *: PASS, drop +0.00 *",
        ]
    )
    document = json.loads((blocky.pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, SCHEMA)
    (found,) = document["diagnoses"]
    assert found["ignored"] == ["encoder.layers.1"]
    assert found["blocks"][0]["block"] == "encoder.layers.1"
    assert document["verdict"] == "FAIL"  # a repair that passes is another model's
    page = (blocky.pytester.path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Which blocks are to blame" in page
    assert 'aria-label="Drop of blocky:int8 by block, in points"' in page
    summary = (blocky.pytester.path / "out" / "summary.md").read_text(encoding="utf-8")
    assert "### Blocks of blocky:int8" in summary


def test_the_repair_is_an_option_and_another_model(blocky: Project) -> None:
    options = ("--whisperq-backend=blocky", "-k", "accuracy")
    blocky.run(*options).assert_outcomes(failed=1)
    result = blocky.run(*options, "--whisperq-ignored-blocks=encoder.layers.1", "--whisperq-report=out")
    result.assert_outcomes(passed=1)
    document = json.loads((blocky.pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
    model = document["models"]["blocky:int8 without encoder.layers.1"]
    assert model["notes"] == ["left in float32 by --whisperq-ignored-blocks: encoder.layers.1"]
    assert "diagnoses" not in document


def test_a_candidate_that_passes_needs_no_repair(project: Project) -> None:
    project.record(240, int8=same)
    project.pytester.makeconftest(BLOCKS)
    project.pytester.makepyfile(GATES)
    result = project.run("--whisperq-backend=blocky", "--whisperq-diagnose", "-k", "accuracy")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["nothing to repair: it loses no more than 1 points"])
    result.stdout.no_fnmatch_line("second gate*")


def test_a_candidate_without_blocks_is_named_and_not_left_out_silently(project: Project) -> None:
    project.record(240, int8=same)
    project.pytester.makepyfile(GATES)
    result = project.run("--whisperq-diagnose", "-k", "accuracy")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["not diagnosed: scripted:int8 is not quantized here block by block"])


def test_a_diagnosis_that_fails_turns_the_run_red(project: Project) -> None:
    project.record(240, int8=same)
    broken = BLOCKS.replace("return Mixed(quantized, clips)", "raise BuildError('its blocks have no names')")
    project.pytester.makeconftest(f"from pytest_whisperq.system.errors import BuildError\n{broken}")
    project.pytester.makepyfile(GATES)
    result = project.run("--whisperq-backend=blocky", "--whisperq-diagnose", "-k", "accuracy")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["whisperq: blocky:int8 is not diagnosed: its blocks have no names"])


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--whisperq-ignored-blocks=layers.3", "*--whisperq-ignored-blocks: must be blocks separated by commas, *"),
        ("--whisperq-ignored-blocks=encoder.layers.3", "*no block of scripted:int8 can be left in float32; *"),
    ],
)
def test_blocks_that_cannot_be_left_alone_are_refused(project: Project, option: str, told: str) -> None:
    project.record(20, int8=same)
    project.pytester.makepyfile(GATES)
    result = project.run(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([told])


def test_a_repair_that_cannot_be_built_is_told_beside_what_was_found(blocky: Project) -> None:
    broken = BLOCKS.replace("        super().build(", "        raise BuildError('no room')\n        super().build(")
    blocky.pytester.makeconftest(f"from pytest_whisperq.system.errors import BuildError\n{broken}")
    result = blocky.run("--whisperq-backend=blocky", "--whisperq-diagnose", "-k", "accuracy")
    result.stdout.fnmatch_lines(
        [
            "  encoder.layers.1 * 4.0 * fc2 9.0 *",
            "the repair --whisperq-ignored-blocks=encoder.layers.1 failed: no room",
        ]
    )


def test_a_run_that_was_stopped_is_not_diagnosed(blocky: Project) -> None:
    blocky.pytester.makepyfile(f"{GATES}\ndef test_accuracy_stopped():\n    pytest.exit('enough')\n")
    result = blocky.run("--whisperq-backend=blocky", "--whisperq-diagnose", "-k", "accuracy")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["not diagnosed: the run was stopped"])
