"""From options to candidates: which pairs exist, which are left out and why, what is an error."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_whisperq.backends import BUILT_IN, Backend, get_backend
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.config import candidates, settings
from pytest_whisperq.config.settings import GateConfig, paths_of, resolve
from pytest_whisperq.system.errors import ConfigError, MissingDependency, WhisperqError


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Decide what is installed, wherever the tests run; empty it or take names out to have backends missing."""
    present = {*BUILT_IN}

    def check(backend: Backend, precision: str = "") -> None:
        if backend.name not in present:
            raise MissingDependency(f"backend {backend.name!r} needs things", remedy="run: pip install")

    monkeypatch.setattr(candidates, "check_installed", check)
    return present


def resolved(**typed: str) -> GateConfig:
    return resolve({f"whisperq_{key}": value for key, value in typed.items()})


def pairs(**typed: str) -> list[str]:
    return [str(candidate) for candidate in resolved(**typed).candidates]


def test_without_backend_or_candidate_nothing_is_gated() -> None:
    assert resolved().candidates == ()


def test_a_backend_alone_means_its_recommended_int8() -> None:
    assert pairs(backend="openvino,ctranslate2,transformers") == [
        *("openvino:int8-ptq", "ctranslate2:int8", "transformers:int8-dynamic")
    ]


def test_a_cross_product_keeps_what_exists_and_says_why_the_rest_is_left_out() -> None:
    found = resolved(backend="scripted,ctranslate2", precision="int8,int4-sym")
    assert [c.id for c in found.candidates] == ["scripted-int8", "scripted-int4-sym", "ctranslate2-int8"]
    assert len(found.left_out) == 1
    assert found.left_out[0].startswith("ctranslate2:int4-sym: ctranslate2 does not have it (it has ")


def test_all_precisions_of_a_backend() -> None:
    assert pairs(backend="scripted", precision="all") == ["scripted:float32", "scripted:int8", "scripted:int4-sym"]


def test_all_backends_are_the_real_ones_each_once() -> None:
    found = pairs(backend="openvino,all", baseline="ctranslate2")
    assert found[0] == "openvino:int8-ptq"
    assert sorted(c.split(":")[0] for c in found) == [
        *("ctranslate2", "faster-whisper", "onnxruntime", "openvino", "transformers")
    ]


def test_all_leaves_out_the_baseline_itself_and_says_so() -> None:
    settings = resolved(backend="all", precision="float32")
    assert sorted(str(candidate) for candidate in settings.candidates) == [
        *("ctranslate2:float32", "faster-whisper:float32", "onnxruntime:float32", "openvino:float32")
    ]
    assert settings.left_out[-1] == "transformers:float32: it is the baseline"
    assert [line.partition(":")[0] for line in settings.left_out[:-1]] == ["whispercpp"]  # for its vocabulary
    assert pairs(backend="transformers", precision="float32") == ["transformers:float32"]  # whoever names it means it


@pytest.fixture
def no_int4(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which the scripted backend falls back from int4."""
    monkeypatch.setattr(ScriptedBackend, "falls_back", lambda self: {"int4-sym": "this processor has no int4"})


@pytest.mark.usefixtures("no_int4")
def test_all_precisions_are_those_this_machine_executes_and_the_others_are_explained() -> None:
    found = resolved(backend="scripted", precision="all")
    assert [str(candidate) for candidate in found.candidates] == ["scripted:float32", "scripted:int8"]
    assert found.left_out == ("scripted:int4-sym: this processor has no int4",)


def test_all_precisions_leave_out_the_baseline_unless_it_is_named() -> None:
    found = resolved(backend="transformers", precision="all")
    assert "transformers:float32" not in map(str, found.candidates)
    assert "transformers:float32: it is the baseline" in found.left_out
    assert "transformers:float32" in pairs(backend="transformers", precision="all,float32")


def test_all_precisions_leave_out_those_that_are_gated_by_name_and_say_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ScriptedBackend, "by_name", frozenset({"int8", "int4-sym"}))
    found = resolved(backend="scripted", precision="all")
    assert [str(candidate) for candidate in found.candidates] == ["scripted:float32"]
    assert found.left_out == ("scripted: 2 precisions that are gated by name only",)
    found = resolved(backend="scripted", precision="all,int4-sym,int8")
    assert len(found.candidates) == 3
    assert found.left_out == ()


@pytest.mark.parametrize("backend", ["openvino", "transformers"])
def test_what_is_gated_by_name_can_be_named(backend: str) -> None:
    names = get_backend(backend).by_name
    assert names
    assert names < set(get_backend(backend).precisions)
    assert set(pairs(backend=backend, precision=",".join(names))) == {f"{backend}:{name}" for name in names}


@pytest.mark.usefixtures("no_int4")
def test_what_is_named_is_tried_and_a_fallback_that_is_allowed_is_part_of_all() -> None:
    assert "scripted:int4-sym" in pairs(backend="scripted", precision="all,int4-sym")
    assert "scripted:int4-sym" in pairs(backend="scripted", precision="all", allow_fallback="true")
    assert pairs(candidate="scripted:int4-sym") == ["scripted:int4-sym"]


def test_a_precision_that_no_named_backend_has_is_an_error_listing_what_they_have() -> None:
    with pytest.raises(ConfigError, match=r"--whisperq-precision: none of the backends ctranslate2 has int4-sym.*has "):
        resolved(backend="ctranslate2", precision="int4-sym")


def test_misspelt_names_get_the_nearest_valid_one() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown backend 'openvin'.*did you mean 'openvino'.*valid: all, ctranslate2, "
    ):
        resolved(backend="openvin")
    with pytest.raises(ConfigError, match=r"unknown precision 'int9'.*did you mean"):
        resolved(backend="scripted", precision="int9")
    with pytest.raises(
        ConfigError,
        match=r"--whisperq-normalizer: unknown normalizer 'whisper-englisch'.*did you mean 'whisper-english'",
    ):
        resolved(normalizer="whisper-englisch")


def test_a_named_backend_that_is_missing_is_an_error_but_one_of_all_is_marked(installed: set[str]) -> None:
    installed.remove("openvino")
    with pytest.raises(MissingDependency, match="openvino"):
        resolved(backend="openvino")
    missing = {c.backend: bool(c.missing) for c in resolved(backend="all").candidates}
    assert {name for name, is_missing in missing.items() if is_missing} == {"openvino"}
    assert {"ctranslate2", "transformers"} < missing.keys()


def test_explicit_candidates_replace_backend_and_precision() -> None:
    assert pairs(candidate="scripted:int4-sym,openvino:float32") == ["scripted:int4-sym", "openvino:float32"]
    with pytest.raises(ConfigError, match="--whisperq-candidate: replaces"):
        resolved(candidate="scripted:int8", backend="scripted")


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("scripted", "--whisperq-candidate: 'scripted' names no precision; write scripted:int8"),
        ("scripted:", "names no precision"),
        ("scripted:int2", "unknown precision for scripted 'int2'"),
        ("nothing:int8", "unknown backend 'nothing'"),
    ],
)
def test_a_candidate_that_does_not_exist_is_an_error(pair: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolved(candidate=pair)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ready-made models in ``calls-v3`` and ``new/calls-v3``, and a folder without any."""
    for name in ("calls-v3", "new/calls-v3", "empty"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("calls-v3", "new/calls-v3"):
        (tmp_path / name / "scripted.json").write_text('{"int8": {}, "float32": {}}')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("scripted@calls-v3", "scripted:int8@calls-v3"),
        ("scripted:float32@new/calls-v3/", "scripted:float32@calls-v3"),
        ("scripted@./new/../calls-v3", "scripted:int8@calls-v3"),
    ],
)
def test_a_ready_made_candidate_is_called_by_precision_and_folder(folders: Path, text: str, name: str) -> None:
    (candidate,) = resolved(candidate=text).candidates
    assert str(candidate) == name
    assert candidate.id == name.replace(":", "-").replace("@", "-")


def test_one_that_lies_where_pytest_is_called_has_the_name_of_that_folder(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders / "calls-v3")
    assert pairs(candidate="scripted@.") == ["scripted:int8@calls-v3"]


def test_a_folder_is_the_same_wherever_a_test_changes_to(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (candidate,) = resolved(candidate="scripted@new/calls-v3").candidates
    monkeypatch.chdir(folders / "empty")
    assert candidate.location == str(folders / "new" / "calls-v3")


def test_the_same_model_twice_is_one_candidate_and_two_of_one_name_are_an_error(folders: Path) -> None:
    assert pairs(candidate="scripted@calls-v3,scripted:int8@calls-v3") == ["scripted:int8@calls-v3"]
    told = "--whisperq-candidate: two candidates would be called scripted:int8@calls-v3; rename one of the folders"
    with pytest.raises(ConfigError, match=told):
        resolved(candidate="scripted@calls-v3,scripted@new/calls-v3")
    (folders / "later").symlink_to(folders / "new" / "calls-v3")
    assert pairs(candidate="scripted@calls-v3,scripted@later") == ["scripted:int8@calls-v3", "scripted:int8@later"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scripted@", "'scripted@' names no folder after the @; write scripted@FOLDER"),
        ("scripted:int2@calls-v3", "calls-v3 is stored in int8, and scripted cannot load it as 'int2'"),
        ("nothing@calls-v3", "unknown backend 'nothing'"),
        ("transformers@calls-v3", "transformers takes no model from a folder; those that do: ctranslate2, "),
        ("openvino@calls-v3", "calls-v3 holds no model that openvino runs; gate it as scripted@calls-v3"),
        ("openvino@empty", "empty holds no model that openvino runs; whisperq inspect empty says what it holds"),
        ("scripted@missing", "'missing' is neither a folder nor a hub id"),
        ("scripted@calls-v3/scripted.json", "calls-v3/scripted.json is a file; name its folder, calls-v3"),
    ],
)
def test_a_ready_made_candidate_that_cannot_be_is_one_error(folders: Path, text: str, message: str) -> None:
    with pytest.raises(WhisperqError, match=f"^--whisperq-candidate: {message}"):
        resolved(candidate=text)


def test_a_precision_without_a_backend_is_an_error() -> None:
    with pytest.raises(ConfigError, match="--whisperq-precision: names no backend; add --whisperq-backend"):
        resolved(precision="int8")


def test_the_baseline_defaults_to_float32_of_the_same_model() -> None:
    found = resolved(baseline="openvino", model="a/b")
    assert (str(found.baseline), found.baseline_model) == ("openvino:float32", "a/b")


def test_the_baseline_may_name_precision_and_model() -> None:
    found = resolved(baseline="scripted:int8@old/one@v2", model="a/b")
    assert (str(found.baseline), found.baseline_model) == ("scripted:int8", "old/one@v2")
    with pytest.raises(ConfigError, match="unknown backend 'nothing'"):
        resolved(baseline="nothing")


def test_a_run_that_gates_nothing_needs_no_baseline_installed(installed: set[str]) -> None:
    """Otherwise an ini file with a limit in it would break every run on a machine without transformers."""
    installed.clear()
    assert str(resolved(max_drop="2").baseline) == "transformers:float32"
    installed.add("scripted")
    with pytest.raises(MissingDependency, match="transformers"):
        resolved(backend="scripted")


def test_threads_are_shared_among_xdist_workers_unless_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "cpu_quota", lambda: 8)
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "3")
    assert resolved().threads == 2
    assert resolved(threads="5").threads == 5
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "20")
    assert resolved().threads == 1
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT")
    assert resolved().threads == 8
    assert settings.resolve({}, workers=4).threads == 2


@pytest.mark.parametrize("told", ["abc", "-3", "2.5"])
def test_a_number_of_workers_that_is_none_is_blamed_on_its_variable(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", told)
    with pytest.raises(ConfigError, match=f"^PYTEST_XDIST_WORKER_COUNT: must be a whole number.*got '{told}'"):
        resolve({})
    assert resolve({"whisperq_threads": "2"}).threads == 2  # nothing has to be shared out


def test_the_cache_directory_is_absolute_and_knows_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert resolved(cache_dir="here").cache_dir == tmp_path / "here"
    assert resolved(cache_dir="~/there").cache_dir == tmp_path / "home" / "there"
    assert resolved().cache_dir.name == "pytest-whisperq"


def test_every_limit_reaches_the_configuration() -> None:
    found = resolved(max_drop="2", min_exact_match="0.7", max_divergence="0.1", confidence="0.9", seed="4")
    assert (found.max_drop, found.min_exact_match, found.max_divergence) == (2.0, 0.7, 0.1)
    assert (found.confidence, found.seed) == (0.9, 4)
    found = resolved(max_wer_gap="2", max_commit_lag="7", merge_profile="p.json")
    assert (found.max_wer_gap, found.max_commit_lag, found.merge_profile) == (2.0, 7.0, Path("p.json"))


def test_a_key_that_is_no_option_is_an_error() -> None:
    with pytest.raises(ConfigError, match="unknown option 'backend'; valid: whisperq_backend, "):
        resolve({"backend": "scripted"})


@pytest.mark.parametrize("name", ["cache_dir"])
def test_the_home_of_nobody_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=r"--whisperq-cache-dir: '~nobody-at-all/x' names the home of a user"):
        resolved(**{name: "~nobody-at-all/x"})


@pytest.mark.parametrize(
    ("options", "opening"),
    [
        ({"backend": "al"}, "--whisperq-backend: unknown backend 'al' (did you mean 'all'?)"),
        ({"baseline": "torch"}, "--whisperq-baseline: unknown backend 'torch'"),
        ({"candidate": "openvin:int8"}, "--whisperq-candidate: unknown backend 'openvin'"),
    ],
)
def test_an_unknown_backend_names_its_option(options: dict[str, str], opening: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolved(**options)
    assert str(caught.value).startswith(opening)


def test_spaces_around_a_pair_do_not_matter() -> None:
    assert pairs(candidate="scripted : int8 , scripted: float32") == ["scripted:int8", "scripted:float32"]


def test_what_may_be_a_folder_of_this_machine_is_known_whatever_option_named_it() -> None:
    named = {
        "model": "/a/model",
        "baseline": "scripted@/a/base",
        "corpus": "/a/data@test",
        "long_form": "/a/long",
        "calibration": "/a/set",
        "cache_dir": "/a/cache",
        "merge_profile": "/a/p.json",
        "waivers": "/a/w.toml",
        "compare": "/a/old.json,/a/older.json",
    }
    found = paths_of(resolved(**named))
    folders = ("base", "cache", "data", "long", "model", "old.json", "older.json", "p.json", "set", "w.toml")
    assert {f"/a/{name}" for name in folders} <= set(found)


def test_how_a_corpus_is_read_is_chosen_by_options(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    config = resolved(text_column="said", corpus_root=str(tmp_path / "link"))
    assert (config.corpus_choices.text_column, config.corpus_choices.root) == ("said", tmp_path.resolve())
    assert config.corpus_choices.audio_column is None
    with pytest.raises(ConfigError, match=r"--whisperq-corpus-root: .*gone is no folder"):
        resolved(corpus_root=str(tmp_path / "gone"))
