"""A limit whose name is misspelt does not hold: never a warning, always an error that names what was meant."""

import pytest
from scripted_project import GATES, Project, same
from test_bad_input import assert_usage_error


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("whisperq_max_divergance", "(did you mean 'whisperq_max_divergence'?)"),
        ("whisper_max_drop", "(did you mean 'whisperq_max_drop'?)"),
        ("whisperq-max-drop", "(did you mean 'whisperq_max_drop'?)"),
        ("whisperq_nonsense", "valid: whisperq_"),
    ],
)
@pytest.mark.parametrize("place", ["tox.ini", "-o"])
def test_an_ini_key_that_does_not_exist_ends_the_run(project: Project, key: str, hint: str, place: str) -> None:
    project.record(30, int8=same)
    project.pytester.makepyfile(GATES)
    options = []
    if place == "-o":
        options = ["-o", f"{key}=0.001"]
    else:
        project.pytester.makeini(f"[pytest]\n{key} = 0.001\n")
    assert_usage_error(project.run(*options), f"{place}: unknown option '{key}'", hint)


def test_it_does_so_without_any_option_too(pytester: pytest.Pytester) -> None:
    """All that was to be gated may stand in a line that nobody reads."""
    pytester.makeini("[pytest]\nwhisperq_bakend = openvino\n")
    pytester.makepyfile("def test_it(): pass")
    assert_usage_error(pytester.runpytest(), "tox.ini: unknown option 'whisperq_bakend'", "'whisperq_backend'")


def test_keys_that_others_declare_are_theirs(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nwhisperq_own_backend_url = x\nwisper = y\n")
    pytester.makeconftest("def pytest_addoption(parser): parser.addini('whisperq_own_backend_url', 'where it is')")
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest("-o", "whisperq_own_backend_url=z").assert_outcomes(passed=1, warnings=1)


MARKED = "import pytest\n@pytest.mark.{}(max_rate=0.001)\ndef test_it():\n    pass\n"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("whisperq_catastrophy", "(did you mean 'whisperq_catastrophe'?)"),
        ("whisper_catastrophe", "(did you mean 'whisperq_catastrophe'?)"),
        ("whisperq_merge_contrakt", "(did you mean 'whisperq_merge_contract'?)"),
    ],
)
def test_a_marker_that_is_no_gate_ends_the_run(project: Project, name: str, hint: str) -> None:
    project.record(30, int8=same)
    project.pytester.makepyfile(MARKED.format(name))
    assert_usage_error(project.run(), f"::test_it: unknown marker '{name}' {hint}", "whisperq_accuracy")


def test_a_misspelt_marker_ends_the_run_also_where_the_ini_file_registers_it(project: Project) -> None:
    """That is what pytest's own warning tells one to do."""
    project.record(30, int8=same)
    project.pytester.makeini("[pytest]\nmarkers = whisperq_catastrophy: no more than a few\n")
    project.pytester.makepyfile(MARKED.format("whisperq_catastrophy"))
    assert_usage_error(project.run(), "unknown marker 'whisperq_catastrophy'")


def test_a_misspelt_marker_fails_under_xdist_too(request: pytest.FixtureRequest) -> None:
    project = Project(request, ("-n2",))
    project.record(30, int8=same)
    project.pytester.makepyfile(MARKED.format("whisperq_catastrophy"))
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["whisperq: *unknown marker 'whisperq_catastrophy' (did you mean*"])


def test_markers_of_others_pass(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers = whisper_catastrophe(x): registered, and nobody's slip\n")
    pytester.makepyfile("import pytest\n@pytest.mark.slow\n@pytest.mark.whisper_catastrophe\ndef test_it(): pass\n")
    pytester.runpytest().assert_outcomes(passed=1, warnings=1)
