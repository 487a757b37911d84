"""The report as people meet it: every section is there, it sorts, filters and plays, and runs nothing else."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted_project import Project

EVIL = "<script>document.title='hacked'</script>"
GATES = """
import pytest

@pytest.mark.whisperq_parity
@pytest.mark.whisperq_accuracy(max_drop=3)
def test_texts():
    pass

@pytest.mark.whisperq_speedup
def test_speed():
    pass
"""


def losing(every: int) -> Callable[[int, str], str]:
    """Lose as many words as tell utterances apart, in every so-manieth."""

    def change(index: int, text: str) -> str:
        if index == 0:
            return EVIL
        return text if index % every else " ".join(text.split()[: 5 - index % 3])

    return change


def report(project: Project, browser: Any, *keywords: str) -> Any:
    """Open the report of a run of two candidates on sixty recordings, compared with an earlier one."""
    project.record(60, int8=losing(10), int4_sym=losing(3))
    project.pytester.makepyfile(GATES)
    both = "--whisperq-candidate=scripted:int8,scripted:int4-sym"
    options = ("--whisperq-timing-budget=1", "--whisperq-early-stop=false")
    project.run(both, *options, "--whisperq-save=old.json", "-k", "texts")
    project.run(both, *options, "--whisperq-report=out", "--whisperq-compare=old.json", *keywords)
    browser.get((project.pytester.path / "out" / "report.html").as_uri())
    return browser


@pytest.fixture
def page(project: Project, browser: Any) -> Any:
    """A report of accuracy and parity."""
    return report(project, browser, "-k", "texts")


def css(page: Any, selector: str) -> list[Any]:
    found: list[Any] = page.find_elements("css selector", selector)
    return found


def shown(page: Any) -> list[Any]:
    return [row for row in css(page, "#utterances tbody tr") if row.is_displayed()]


def column(page: Any, number: int) -> list[str]:
    return [row.find_elements("tag name", "td")[number].text for row in shown(page)]


def test_every_section_is_there_and_nothing_complains(project: Project, browser: Any) -> None:
    page = report(project, browser)
    headings = [heading.text for heading in css(page, "h2")]
    assert headings == [
        "Verdicts",
        "Candidates side by side",
        "Drop by slice",
        "Timing rounds and streams",
        "Since earlier runs",
        "Utterances",
        "Environment",
    ]
    assert len(css(page, "svg")) >= 2  # on a busy machine no round of timing may be left
    assert page.title.endswith("whisperq report")  # what a transcript says was not run
    assert page.get_log("browser") == []


def test_the_table_sorts_by_any_column_from_the_keyboard(page: Any) -> None:
    rows = [int(text) for text in column(page, 7)]
    assert rows == sorted(rows, reverse=True)
    (button,) = [one for one in css(page, "#utterances th button") if one.text == "utterance"]
    button.send_keys("\n")  # largest first
    assert column(page, 0) == sorted(column(page, 0), reverse=True)
    button.send_keys(" ")
    assert column(page, 0) == sorted(column(page, 0))
    (heading,) = css(page, "#utterances th[aria-sort]")
    assert heading.get_attribute("aria-sort") == "ascending"


def test_the_table_filters_by_text_candidate_and_change(page: Any) -> None:
    assert len(shown(page)) == 120
    select = importlib.import_module("selenium.webdriver.support.ui").Select
    select(css(page, "#filter-candidate")[0]).select_by_visible_text("scripted:int8")
    assert len(shown(page)) == 60
    (changed,) = css(page, "#filter-changed")
    changed.click()
    assert {row.get_attribute("data-changed") for row in shown(page)} == {"true"}
    (box,) = css(page, "#filter-text")
    box.send_keys("clip0030")
    assert column(page, 0) == ["clip0030.wav"]
    assert css(page, "#filter-count")[0].text == "1 of 120 shown"
    box.send_keys("nothing like it")
    assert shown(page) == []


def test_texts_open_and_stay_text(page: Any) -> None:
    css(page, "#filter-text")[0].send_keys("clip0000")
    summary = shown(page)[0].find_element("tag name", "summary")
    summary.click()
    lines = shown(page)[0].find_element("tag name", "pre").text.splitlines()
    assert [line.split()[0] for line in lines] == ["reference", "baseline", "candidate"]
    assert lines[2].split()[1:4] == ["document", "title", "hacked"]


def test_a_recording_plays(page: Any) -> None:
    script = """
        const done = arguments[arguments.length - 1];
        for (const player of document.querySelectorAll("audio")) {
          player.muted = true;
          player.addEventListener("timeupdate", () => {
            if (player.currentTime > 0) done(player.getAttribute("aria-label"));
          });
          player.addEventListener("error", () => done(`error ${player.error.code}`));
        }
        document.querySelector("#utterances a.play").click();
    """
    page.set_script_timeout(60)
    assert page.execute_async_script(script) == column(page, 0)[0]


def test_a_dark_system_gets_a_dark_page(page: Any) -> None:
    def paper(scheme: str) -> str:
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        colour: str = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        return colour

    assert paper("light") == "rgb(255, 255, 255)"
    assert paper("dark") == "rgb(13, 17, 23)"


def test_a_page_of_a_failed_redacted_run_is_whole(project: Project, browser: Any) -> None:
    project.record(60, int8=losing(2))
    project.pytester.makepyfile(GATES)
    project.run("--whisperq-report=out", "--whisperq-redact", "--whisperq-timing-budget=1")
    path: Path = project.pytester.path / "out" / "report.html"
    browser.get(path.as_uri())
    assert "Transcripts are left out." in css(browser, "header")[0].text
    assert css(browser, "audio") == css(browser, "pre") == []
    assert browser.get_log("browser") == []
