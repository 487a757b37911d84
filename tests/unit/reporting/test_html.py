"""The page: whole, self-contained, and every word of a transcript nothing but text."""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Check, Figure, Judgement, Series, Verdict
from pytest_whisperq.reporting.build_document import Broken, Collector, Gated
from pytest_whisperq.reporting.html import ROWS, render, utterance_table, worst
from pytest_whisperq.reporting.markdown import LONGEST, escape, summary
from pytest_whisperq.reporting.write_outputs import MOST_AUDIO

EVIL = '</pre></script><script>alert("1")</script><img src=x onerror=alert(2)>'
SCHEMA = json.loads((resources.files("pytest_whisperq.history") / "schema.json").read_text(encoding="utf-8"))


StartRun = Callable[..., GateRunner]


def page_of(document: Mapping[str, Any], clips: Mapping[str, bytes] | None = None) -> str:
    return render(document, utterance_table(document, ROWS), clips)


class Page(HTMLParser):
    """What a browser would make of a page: every element, and the text in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture
def document(
    start_run: Callable[..., GateRunner], tmp_path: Path, make_corpus: Any, make_script: Any
) -> Callable[..., Any]:
    """Make the document of a run over twelve clips, in every third of which int8 says something evil."""

    def make(said: str = EVIL, gates: Sequence[str] = ("parity", "accuracy", "size"), **options: str) -> dict[str, Any]:
        references = [f"one two three {number}" for number in range(12)]
        lines = {"line": ["good" if number < 6 else EVIL for number in range(12)]}
        make_corpus(tmp_path / "corpus", references, lines)
        hypotheses = [said if number % 3 == 0 else text for number, text in enumerate(references)]
        make_script(tmp_path / "model", tmp_path / "corpus", {"float32": None, "int8": hypotheses})
        run = start_run(early_stop="false", **options)
        (candidate,) = run.config.candidates
        gated = [
            Gated(
                test=f"test_{gate}.py::test[{EVIL}]", outcome="failed", judgement=run.judge(gate, candidate).judgement
            )
            for gate in gates
        ]
        broken = [Broken(test="test_memory.py::test", candidate="scripted:int8", outcome="failed", message=EVIL)]
        found = Collector(run, gated, broken).document()
        return {**found, "utterances": [*found["utterances"]]}  # as it is read back

    return make


def test_the_document_is_as_its_schema_says(document: Callable[..., Any]) -> None:
    for redact in ("false", "true"):
        found = document(redact=redact)
        jsonschema.validate(json.loads(json.dumps(found)), SCHEMA)
        assert found["verdict"] == "FAIL"
        assert set(found) == set(SCHEMA["required"])


def test_the_schema_refuses_what_is_no_document(document: Callable[..., Any]) -> None:
    found = document()
    found["gates"][0]["judgement"]["checks"][0]["verdict"] = "MAYBE"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, SCHEMA)


def test_what_a_model_says_stays_text_wherever_it_stands(document: Callable[..., Any]) -> None:
    text = page_of(document())
    page = Page(text)
    assert page.count("script") == 1
    assert page.count("img") == 0
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert any(EVIL in part for part in page.texts)  # the message of the broken test
    assert "<script>alert" not in text


def test_the_page_needs_nothing_else_and_allows_no_other_script(document: Callable[..., Any]) -> None:
    text = page_of(document(), {"clip0000.wav": b"fLaC"})
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    page = Page(text)
    for tag, attributes in page.elements:
        assert (attributes.get("src") or "data:").startswith("data:"), tag
        assert "style" not in attributes, tag  # the policy would forbid it
    (policy,) = [a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy


def test_the_page_has_every_section_and_marks_what_failed(document: Callable[..., Any]) -> None:
    page = Page(page_of(document()))
    identifiers = {attributes.get("id") for _, attributes in page.elements}
    assert identifiers >= {"verdicts", "candidates", "slices", "timing", "texts", "environment", "utterances"}
    assert any("FAIL" in (attributes.get("class") or "") for _, attributes in page.elements)
    assert page.count("svg") == 2  # size and slices; of one candidate there is no chart of drops, and nothing was timed
    for _, attributes in page.elements:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in identifiers


def judged(gate: str, name: str, candidate: str, series: Sequence[Series], *figures: Figure) -> dict[str, Any]:
    check = Check(
        name=name,
        value=2.0,
        limit=1.0,
        keep="above",
        lower=1.5,
        upper=2.5,
        confidence=0.95,
        unit="times",
        verdict=Verdict.PASS,
        reason="",
    )
    judgement = Judgement(
        gate=gate,
        candidate=candidate,
        baseline="scripted:float32",
        checks=(check,),
        figures=figures,
        series=tuple(series),
    )
    return {"test": gate, "outcome": "passed", "verdict": "PASS", "waived_until": "", "judgement": judgement.to_dict()}


def test_errors_against_speed_rounds_and_streams_are_drawn(document: Callable[..., Any]) -> None:
    found = document(gates=("accuracy",))
    rounds = Series(name="pipeline speedup", over="round", points=tuple((float(n), 2 + n / 10) for n in range(1, 8)))
    lags = [
        Series(name=name, over="seconds of the stream", points=tuple((0.5 * n, late + n / 9) for n in range(count)))
        for name, late, count in (("first shown", 0.5, 11), ("committed", 1.5, 13))
    ]
    found["gates"] += [
        judged("speedup", "pipeline speedup", "scripted:int8", [rounds]),
        judged("streaming", "lag", "scripted:int8", lags),
    ]
    found = json.loads(json.dumps(found))  # as it is read back
    jsonschema.validate(found, SCHEMA)
    page = Page(page_of(found))
    circles = Counter(attributes.get("class") for tag, attributes in page.elements if tag == "circle")
    assert (circles["series0"], circles["series1"]) == (7 + 11, 13)
    labels = {attributes.get("aria-label") for tag, attributes in page.elements if tag == "svg"}
    assert labels >= {"scripted:int8: speedup", "scripted:int8: streaming"}
    assert "Errors against speed" in labels
    (point,) = [text for text in page.texts if "times as fast (" in text]
    assert re.fullmatch(r"scripted:int8: \d+\.\d\d % wrong, 2\.00 times as fast \(1\.50 … 2\.50\)", point)
    level = [a for _, a in page.elements if a.get("class") == "zero" and a["y1"] == a["y2"]]
    assert len(level) == 1  # as fast as the baseline
    for text in ("first shown", "committed", "seconds of the stream", "round", "2.7"):
        assert any(text in part for part in page.texts), text
    assert not any("measured" in part for part in page.texts if "Not" in part or "Neither" in part)


def test_candidates_are_drawn_side_by_side(document: Callable[..., Any]) -> None:
    found = document(gates=("accuracy",))
    evil = json.loads(json.dumps(found).replace("scripted:int8", "scripted:evil"))
    found["models"] |= {EVIL: {**evil["models"]["scripted:evil"], "size": 7_000_000}}
    found["gates"] += json.loads(json.dumps(evil["gates"]).replace("scripted:evil", json.dumps(EVIL)[1:-1]))
    for row in found["utterances"]:
        row["texts"][EVIL], row["errors"][EVIL] = row["reference"], 0
        row["languages"][EVIL] = None
    text = page_of(found)
    page = Page(text)
    labels = [attributes.get("aria-label") for tag, attributes in page.elements if tag == "svg"]
    assert labels[:2] == ["Drop of every candidate, in points, with bounds", "Errors against size"]
    assert f"{EVIL}: 0.00 % wrong, 7.0 MB" in page.texts
    kinds = Counter(attributes.get("class") for tag, attributes in page.elements if tag == "circle")
    assert (kinds["base"], kinds["best"] + kinds["beaten"]) == (1, 2)
    assert "<script>alert" not in text


def test_a_candidate_that_was_cut_short_is_named_and_not_drawn(document: Callable[..., Any]) -> None:
    found = document(gates=("accuracy",))
    for heard in ("errors", "texts", "languages"):
        del found["utterances"][3][heard]["scripted:int8"]
    texts = Page(page_of(found)).texts
    assert any("did not hear the whole corpus: scripted:int8" in text for text in texts)
    assert not any("scripted:int8: " in text and " MB" in text for text in texts)


def test_the_table_has_three_aligned_texts_the_largest_loss_first(document: Callable[..., Any]) -> None:
    rows = utterance_table(document("one two")).rows
    assert len(rows) == 12
    first = rows[0]
    assert (first["id"], first["before"], first["after"], first["delta"]) == ("clip0000.wav", 0, 2, 2)
    assert first["changed"]
    assert dict(first["texts"])["candidate"].split() == ["one", "two", "*****", "*"]
    assert [row["delta"] for row in rows] == sorted((row["delta"] for row in rows), reverse=True)
    assert not rows[-1]["changed"]


def test_a_redacted_page_holds_no_word_that_was_said(document: Callable[..., Any]) -> None:
    found = document("secret words here", redact="true")
    text = page_of(found)
    for word in ("secret", "three"):
        assert word not in text
        assert word not in json.dumps(found)
    assert "Transcripts are left out" in text
    assert utterance_table(found).rows[0]["changed"]


def test_recordings_are_played_from_the_page(document: Callable[..., Any]) -> None:
    page = Page(page_of(document(), {"clip0003.wav": b"sound"}))
    (link,) = [attributes for _, attributes in page.elements if attributes.get("class") == "play"]
    assert link["href"] == "#clip-1"
    assert any(attributes.get("id") == "clip-1" for _, attributes in page.elements)
    (audio,) = [attributes for tag, attributes in page.elements if tag == "audio"]
    assert audio["src"] == f"data:audio/flac;base64,{base64.b64encode(b'sound').decode()}"
    assert audio["aria-label"] == "clip0003.wav"


def test_what_a_model_says_in_a_loop_is_shown_once(document: Callable[..., Any]) -> None:
    texts = dict(utterance_table(document("so " * 900)).rows[0]["texts"])
    assert "so ×" in texts["candidate"]
    assert max(map(len, texts.values())) < 60


def test_a_text_without_end_is_cut(document: Callable[..., Any]) -> None:
    texts = dict(utterance_table(document(" ".join(map(str, range(900))))).rows[0]["texts"])
    assert texts["candidate"].endswith(" …")
    assert len(texts["candidate"]) < 700


def test_the_worst_utterances_are_those_that_lost_most(document: Callable[..., Any]) -> None:
    table = utterance_table(document("one two"))
    assert worst(table, 3) == ["clip0000.wav", "clip0003.wav", "clip0006.wav"]
    assert worst(table, 99) == [f"clip{number:04}.wav" for number in (0, 3, 6, 9)]


def test_a_page_of_any_corpus_is_below_ten_megabytes_and_says_what_it_lacks(document: Callable[..., Any]) -> None:
    found = document(" ".join(f"word{number}" for number in range(200)))
    row = found["utterances"][0]
    found["utterances"] = [{**row, "id": f"clip{number:05}.wav"} for number in range(ROWS + 500)]
    assert utterance_table(found, ROWS).count == ROWS + 500
    page = page_of(found, {"clip00000.wav": bytes(MOST_AUDIO)})
    assert len(page.encode()) < 10_000_000
    assert "500 more rows, those that changed least, are in utterances.jsonl and in report.json only" in page
    ids = sorted(one["id"] for one in found["utterances"])
    assert [one["id"] for one in utterance_table(found, 3).rows] == ids[:3]  # all lose as much


def test_the_summary_shows_the_table_and_why(document: Callable[..., Any]) -> None:
    text = summary(document("one two", max_size_ratio="2"))
    assert text.startswith("## ❌ whisperq: FAIL\n\n| candidate |")
    assert "| scripted:int8 | int8 |" in text
    assert "- **accuracy/scripted:int8** " in text
    assert "size/scripted" not in text  # it passed


def test_the_summary_shows_evil_as_text(document: Callable[..., Any]) -> None:
    text = summary(document())
    assert "<script" not in text
    assert "<img" not in text


def test_the_summary_fits_a_comment(document: Callable[..., Any]) -> None:
    found = document()
    found["broken"] = [
        {"test": f"t{number}", "candidate": "", "outcome": "failed", "message": "x" * 300} for number in range(999)
    ]
    text = summary(found)
    assert len(text) <= LONGEST + 100
    assert text.endswith("(cut here; report.html has the rest)\n")


@pytest.mark.parametrize(("text", "shown"), [("a|b", r"a\|b"), ("a\nb", "a b"), ("<b>*x*", r"&lt;b&gt;\*x\*")])
def test_markdown_shows_text_as_it_is(text: str, shown: str) -> None:
    assert escape(text) == shown
