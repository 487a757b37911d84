"""The fixtures, used as a test author would."""

from scripted_project import Project, catastrophic, same


def test_fixtures_offer_config_corpus_models_and_builds(any_project: Project) -> None:
    any_project.record(40, int8=same, int4_sym=catastrophic)
    any_project.pytester.makepyfile(
        """
        def test_them(whisperq_config, whisperq_corpus, whisperq_baseline, whisperq_candidate, whisperq_build):
            assert whisperq_config.max_drop == 1.0
            assert len(whisperq_corpus.utterances) == 40
            assert str(whisperq_candidate.candidate) == "scripted:int8"
            assert whisperq_baseline.transcripts.texts == whisperq_candidate.transcripts.texts
            assert whisperq_build("scripted", "int4-sym").size == whisperq_candidate.artifact.size > 0
        """
    )
    any_project.run().assert_outcomes(passed=1)


def test_a_test_of_the_candidate_runs_once_for_each(any_project: Project) -> None:
    any_project.record(40, int8=same, int4_sym=catastrophic)
    any_project.pytester.makepyfile("def test_it(whisperq_candidate):\n    assert whisperq_candidate.artifact.size\n")
    result = any_project.run("--whisperq-precision=int8,int4-sym", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines_random(["*test_it[[]scripted-int8]*", "*test_it[[]scripted-int4-sym]*"])


def test_the_gate_fixture_gates_from_the_body(any_project: Project) -> None:
    any_project.record(int8=catastrophic)
    any_project.pytester.makepyfile(
        """
        def test_lenient(whisperq_gate):
            outcome = whisperq_gate.accuracy(max_drop=30)
            assert outcome.judgement.checks[0].value > 15

        def test_strict(whisperq_gate):
            whisperq_gate.parity(max_divergence=0.01)
        """
    )
    result = any_project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["whisperq parity gate: FAIL", "*replay: pytest*test_strict*"])


def test_an_impossible_build_is_one_message(project: Project) -> None:
    project.record(40, int8=same)
    project.pytester.makepyfile("def test_it(whisperq_build):\n    whisperq_build('scripted', 'int8-ptq')\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["whisperq: whisperq_build: unknown precision for scripted 'int8-ptq'*"])
