"""report.html in a browser: keyboard, mouse, screen reader, light and dark, paper, and malice."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

import pytest

import report_samples as samples
from chromium import Chromium
from labkit.report import rows
from labkit.report.page import write_report
from labkit.results import ERROR, FAILED, REPORT, Result
from test_report import NASTY, nasty_result, nasty_trace

pytestmark = pytest.mark.xdist_group("chromium")  # which is started once

TESTS = 24
FAILED_TESTS = (5, 6, 11, 21)
NOT_GRADED = 14
FIRST = "#t5"
WIDE, NARROW = (1680, 1050), (390, 844)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    chromium = Chromium(tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.close()


@dataclass
class Pages:
    """Reports, written once."""

    folder: Path

    def write(self, name: str, results: Sequence[Result], text: str) -> str:
        out = self.folder / name
        out.mkdir()
        labcap = self.folder / "labcap"
        labcap.write_text(samples.LABCAP)
        labcap.chmod(0o755)
        samples.leave(out, results, text)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rows, "LABCAP", labcap)
            write_report(results, out, "a submission")
        return (out / REPORT).as_uri()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    return Pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="session")
def usual(pages: Pages) -> str:
    """A page with tests that passed, failed and could not be graded."""
    results = [samples.result(number, FAILED if number in FAILED_TESTS else "passed")
               for number in range(TESTS)]
    results[NOT_GRADED] = samples.result(
        NOT_GRADED, ERROR, output="not graded: no network here", detail="Traceback: OSError",
        calls=None, no_calls="strace is not installed")
    return pages.write("usual", results, samples.told(*samples.echo("hé\tllo\n".encode())))


@pytest.fixture
def screen(browser: Chromium) -> Chromium:
    """The browser on a wide screen, in light colours, with nothing on it."""
    browser.size(*WIDE)
    browser.media()
    browser.open("about:blank")
    return browser


@pytest.fixture
def page(screen: Chromium, usual: str) -> Chromium:
    """The usual page."""
    screen.open(usual)
    return screen


def texts(page: Chromium, selector: str) -> list[str]:
    """The text of each element that SELECTOR finds and that can be seen."""
    found: list[str] = page.ask(f"""Array.from(document.querySelectorAll({json.dumps(selector)}))
        .filter(e => e.checkVisibility({{visibilityProperty: true}}))
        .map(e => e.innerText ?? e.textContent)""")
    return found


def focused(page: Chromium) -> str:
    """The name of what has the focus."""
    name: str = page.ask("""(e => e.getAttribute('aria-label') || e.name || e.textContent.trim())
        (document.activeElement)""")
    return name


def named(page: Chromium, role: str) -> list[str]:
    """The names of what assistive technology knows as ROLE."""
    return [node["name"] for node in page.accessible() if node["role"] == role]


# -- At first sight ------------------------------------------------------------


def test_score_first_failure_and_its_four_parts_are_seen_at_once(page: Chromium) -> None:
    assert texts(page, "h1") == ["No score: the grader failed"]
    assert all(text.startswith("–/") for text in texts(page, ".points"))
    assert texts(page, ".counts li") == ["19 passed", "4 failed", "1 not graded"]
    assert texts(page, ".feedback dt") == ["Expected", "Seen", "Likely cause", "Read on"]
    assert texts(page, ".feedback dd") == [text for _, text in samples.FEEDBACK]
    low = page.ask("Math.max(...Array.from(document.querySelectorAll('[open] .feedback, "
                   "[open] .packet.open'), e => e.getBoundingClientRect().bottom))")
    assert low < WIDE[1]


def test_what_could_not_be_judged_stands_with_the_test_that_tells_why(
    screen: Chromium, pages: Pages
) -> None:
    """And the one that tells is open."""
    results = [samples.result(number, FAILED, fault="step 3 is not written yet",
                              judged=number == 2, cause="not-written-yet") for number in range(3)]
    screen.open(pages.write("unjudged", results, samples.told(*samples.echo(b"x"))))
    assert len(texts(screen, ".group h3")) == 1
    assert texts(screen, ".unjudged > summary") == [
        "2 tests could judge nothing until that is repaired"]
    assert texts(screen, "[open] .feedback dt")


def test_the_ladder_stands_beside_the_feedback_where_there_is_room(page: Chromium) -> None:
    beside = f"""(() => {{ const [told, ladder] = ['.told', '.evidence'].map(part =>
        document.querySelector('{FIRST} ' + part).getBoundingClientRect());
        return told.right <= ladder.left && told.bottom > ladder.top; }})()"""
    assert page.ask(beside)
    page.size(1000, 800)
    assert not page.ask(beside)


@pytest.mark.parametrize("width", [320, 390, 768, 1100, 1680, 2560])
def test_no_width_makes_the_page_scroll_sideways(page: Chromium, width: int) -> None:
    page.size(width, 900)
    page.ask("document.querySelectorAll('.step').forEach(step => { step.open = true; })")
    assert page.ask("document.scrollingElement.scrollWidth") <= width
    box = page.ask("(b => [b.scrollWidth, b.clientWidth])(document.querySelector('.scroll'))")
    assert (box[0] > box[1]) == (width < 1000)


def test_named_packets_are_marked_and_linked(page: Chromium) -> None:
    assert page.ask("Array.from(document.querySelectorAll('.named .hit'), e => e.id)") == [
        "t5p4", "t5p43"]
    page.click(f"{FIRST} .seen a:nth-of-type(2)")
    page.ask("new Promise(done => setTimeout(done))")  # what the click has put off
    assert focused(page).startswith("Packet 43, server to client, RST")


def test_a_ladder_is_drawn_when_its_test_is_opened(page: Chromium) -> None:
    count = "document.querySelectorAll('.ladder').length"
    assert page.ask(count) == 1
    page.click("#t6 > summary")
    page.ask("new Promise(done => setTimeout(done))")
    assert page.ask(count) == 2


def test_an_address_with_a_packet_opens_its_test_and_shows_it(
    screen: Chromium, usual: str
) -> None:
    screen.open(usual + "#t2p41")
    assert focused(screen).startswith("Packet 41, client to server")
    assert screen.ask("document.activeElement.checkVisibility()")


def test_a_step_is_reached_from_the_strip(page: Chromium) -> None:
    page.click(".strip li:nth-of-type(4) a")
    page.ask("new Promise(done => setTimeout(done))")
    assert page.ask("Array.from(document.querySelectorAll('.step[open]'), e => e.id)") == ["s01-4"]


def test_200_tests_are_little_for_a_browser(screen: Chromium, pages: Pages) -> None:
    results = [samples.result(number, FAILED if number % 20 == 3 else "passed")
               for number in range(200)]
    address = pages.write("many", results, samples.told(*samples.echo()))
    screen.open(address)
    assert screen.ask("document.querySelectorAll('*').length") < 40 * 200
    assert screen.ask("document.querySelectorAll('.ladder').length") == 1


# -- What a row tells ----------------------------------------------------------


def test_a_click_on_a_packet_tells_its_payload_times_and_meaning(page: Chromium) -> None:
    page.click("#t5p1")
    [text] = texts(page, ".panel")
    assert "the client asks to connect; its first byte will be number 2927179379" in text
    page.click("#t5p4")
    [text] = texts(page, ".panel")
    assert text.startswith("Packet 4, client to server, PSH+ACK")
    assert "0.000120000 s after the first packet, 0.000030000 s after the one before" in text
    assert "2023-11-14 22:13:20.123576789 UTC" in text
    assert texts(page, ".panel pre") == [
        "0000  68 c3 a9 09 6c 6c 6f 0a" + " " * 26 + "h...llo."]
    assert "hé\\u{9}llo\\n" in text


def test_a_click_on_a_call_tells_the_whole_of_it(page: Chromium) -> None:
    page.click(".hit[aria-label^='The client calls write']")
    [text] = texts(page, ".panel")
    assert "0.000090000 s after the first packet" in text
    assert 'write(3, "hello\\n", 8) = 8' in text and "client, process 12" in text


def test_a_call_before_the_first_packet_tells_how_long(page: Chromium) -> None:
    page.click(".hit[aria-label^='The client calls connect']")
    [text] = texts(page, ".panel")
    assert "0.000440000 s before the first packet" in text
    assert "22:13:20.123016789 UTC" in text and "187 µs" in text


def test_a_fold_tells_what_is_in_it(page: Chromium) -> None:
    page.click(".fold .hit")
    assert "6 to 40" in texts(page, ".panel")[0]


def test_the_panel_hides_no_row_that_was_chosen(page: Chromium) -> None:
    page.size(900, 500)
    page.ask("""(row => { row.scrollIntoView({block: 'end'}); row.focus({preventScroll: true}); })
        (document.querySelector('#t5p5'))""")
    page.press("Enter")
    assert page.ask("""document.querySelector('#t5p5').getBoundingClientRect().bottom <=
        document.querySelector('.panel').getBoundingClientRect().top""")


# -- Keyboard ------------------------------------------------------------------


def test_the_keyboard_goes_through_the_page_in_order(page: Chromium) -> None:
    order = []
    for _ in range(19):
        page.press("Tab")
        order.append(focused(page))
    assert order[0] == "Skip to the tests"
    assert [name.split()[1] for name in order[1:7]] == ["1✓", "2✗", "3✗", "4!", "5✓", "6✗"]
    assert order[7:10] == ["status", "step", "text"]
    assert "Server ends test 5" in order[10]
    assert order[11:13] == ["4", "43"]  # the packets that its feedback names
    assert order[13:15] == ["trace", "system calls"]
    assert order[15].startswith("TCP connection 1")
    assert order[16].startswith("The server calls socket")  # one stop for the whole ladder
    assert "Server ends test 6" in order[17]


def test_the_skip_link_leads_to_the_tests(page: Chromium) -> None:
    page.press("Tab", "Enter")
    assert page.ask("document.activeElement.id") == "main"


def test_arrow_keys_go_from_row_to_row(page: Chromium) -> None:
    page.ask(f"document.querySelector('{FIRST} .hit[tabindex=\"0\"]').focus()")
    names = []
    for key in ("ArrowDown", "ArrowRight", "ArrowUp", "End", "ArrowDown", "Home", "ArrowLeft"):
        page.press(key)
        names.append(focused(page).split("(")[0].split(",")[0])
    assert names == ["The server calls bind", "The server calls listen", "The server calls bind",
                     "Packet 43", "Packet 43", "The server calls socket",
                     "The server calls socket"]
    assert page.ask("document.querySelectorAll('.rows .hit[tabindex=\"0\"]').length") == 1


@pytest.mark.parametrize("key", ["Enter", " "])
def test_a_row_is_opened_and_closed_by_keys(page: Chromium, key: str) -> None:
    page.ask("document.querySelector('#t5p1').focus()")
    page.press(key)
    assert "its first byte will be number" in texts(page, ".panel")[0]
    page.press("ArrowDown")  # the panel follows
    assert texts(page, ".panel")[0].startswith("Packet 2, server to client, 2/3 SYN+ACK")
    page.press("Escape")
    assert texts(page, ".panel") == []
    assert focused(page).startswith("Packet 2")
    assert page.ask("document.querySelectorAll('[aria-selected=true]').length") == 0


# -- Assistive technology ------------------------------------------------------


def test_rows_are_options_with_names_in_plain_words(page: Chromium) -> None:
    [box] = named(page, "listbox")
    assert box.startswith("TCP connection 1: client 127.0.0.1:42224, server 127.0.0.1:4321; 10")
    options = named(page, "option")
    assert ("Packet 1, client to server, 1/3 SYN, sequence number 0, the client is now in "
            "SYN-SENT, the server is now in SYN-RECEIVED") in options
    assert "The server calls accept(3); the call has not yet returned" in options
    assert "1/3 SYN seq 0" not in named(page, "StaticText")  # which would be heard twice
    page.click("#t5p2")
    chosen = [node["name"] for node in page.accessible() if node.get("selected") is True
              and node["role"] == "option" and node["name"].startswith("Packet")]
    assert [name.split(",")[0] for name in chosen] == ["Packet 2"]


def test_everything_that_takes_the_focus_has_a_name(page: Chromium) -> None:
    page.click("#t5p4")
    nodes = [node for node in page.accessible() if node.get("focusable")
             and node["role"] not in ("RootWebArea", "main", "InlineTextBox", "StaticText")]
    assert len(nodes) > 30
    assert [node for node in nodes if not node["name"]] == []


def test_the_page_has_landmarks_and_headings(page: Chromium) -> None:
    roles = {node["role"] for node in page.accessible()}
    assert {"banner", "main", "navigation", "search", "contentinfo", "region"} <= roles
    headings = named(page, "heading")
    assert {"No score: the grader failed", "What failed, and why", "Step by step"} < set(headings)


def test_a_signs_meaning_is_in_words_too(page: Chromium) -> None:
    names = named(page, "DisclosureTriangle")
    assert "failed: 1.2 Server ends test 5 server – of 2" in names
    assert "not graded: 1.4 Server ends test 14 server – of 2" in names
    assert any(name.startswith("passed: step 1 ") for name in names)


CONTRASTS = r"""(() => {
    const number = (text) => text.match(/[\d.]+/g).map(Number);
    const over = (top, under) => {
        const a = top.length > 3 ? top[3] : 1;
        return under.map((part, i) => top[i] * a + part * (1 - a));
    };
    const light = (colour) => colour.map(part => part / 255)
        .map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4)
        .reduce((sum, part, i) => sum + part * [.2126, .7152, .0722][i], 0);
    const contrast = (a, b) => {
        const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
        return (high + .05) / (low + .05);
    };
    const behind = (element) => {
        const stack = [];
        for (let at = element; at; at = at.parentElement) {
            stack.unshift(number(getComputedStyle(at).backgroundColor));
        }
        return stack.reduce((under, top) => over(top, under), [255, 255, 255]);
    };
    const poor = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let seen = 0;
    while (walker.nextNode()) {
        const at = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !at.checkVisibility()) continue;
        const drawn = at.matches('text');
        let ground = behind(at);
        if (drawn && at.closest('.row')) {
            const hit = at.closest('.row').querySelector('.hit');
            ground = over(number(getComputedStyle(hit).fill), ground);
        }
        const colour = number(getComputedStyle(at)[drawn ? 'fill' : 'color']);
        const value = contrast(over(colour, ground), ground);
        seen += 1;
        if (value < 4.5) poor.push([at.textContent.slice(0, 40), value]);
    }
    return [seen, poor];
})()"""


@pytest.mark.parametrize("scheme, kind", [("light", ""), ("dark", ""), ("dark", "print")])
def test_every_text_stands_out(page: Chromium, scheme: str, kind: str) -> None:
    page.media(scheme, kind)
    page.ask("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.click("#t5p4")  # a marked row, chosen
    seen, poor = page.ask(CONTRASTS)
    assert seen > 150 and poor == []


def test_light_and_dark_follow_the_system(page: Chromium) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.ask(ground)
    page.media("dark")
    assert (light, page.ask(ground)) == ("rgb(253, 253, 252)", "rgb(22, 24, 27)")


# -- Finding tests -------------------------------------------------------------


def choose(page: Chromium, name: str, value: str) -> None:
    page.ask(f"""(field => {{ field.value = {json.dumps(value)};
        field.dispatchEvent(new Event('input', {{bubbles: true}})); }})
        (document.querySelector('.filter [name={name}]'))""")


def shown(page: Chromium) -> list[int]:
    """Numbers of the tests that can be seen."""
    numbers: list[int] = page.ask(
        "Array.from(document.querySelectorAll('.test')).filter(e => e.checkVisibility())"
        ".map(e => Number(e.id.slice(1)))")
    return sorted(numbers)


def test_tests_are_found_by_outcome_step_and_text(page: Chromium) -> None:
    choose(page, "status", "failed")
    assert shown(page) == list(FAILED_TESTS)
    assert texts(page, ".filter output") == [f"4 of {TESTS} tests"]
    choose(page, "step", "01-tcp-echo 2")
    assert shown(page) == [5, 6]
    choose(page, "status", "")
    assert shown(page) == [4, 5, 6, 7]
    choose(page, "step", "")
    page.ask("document.querySelector('.filter [name=text]').focus()")
    page.type("SERVER ENDS TEST 2")
    assert shown(page) == [2, 20, 21, 22, 23]
    assert len(texts(page, ".elsewhere a")) == 1 and len(texts(page, ".group h3")) == 1
    choose(page, "text", "no such words")
    assert texts(page, ".elsewhere, .group, .step") == []
    assert shown(page) == [] and texts(page, ".filter output") == [f"0 of {TESTS} tests"]
    choose(page, "text", "")
    assert shown(page) == [*FAILED_TESTS[:3], NOT_GRADED, FAILED_TESTS[3]]


# -- Paper, and no script ------------------------------------------------------


def test_print_shows_every_failed_test_and_no_control(page: Chromium) -> None:
    page.ask("""addEventListener('beforeprint', () => { window.open_then =
        Array.from(document.querySelectorAll('.test[open]'), e => Number(e.id.slice(1))); })""")
    page.click("#t5p4")
    pdf = base64.b64decode(page.do("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
    assert sorted(page.ask("open_then")) == sorted([*FAILED_TESTS, NOT_GRADED])
    assert page.ask("document.querySelectorAll('.test[open]').length") == 1  # as it was
    assert page.ask("document.querySelectorAll('.ladder').length") == 5
    page.media(kind="print")
    page.size(760, 1000)
    page.ask("dispatchEvent(new Event('beforeprint'))")
    assert texts(page, ".filter, .panel, .skip, button, select, input") == []
    assert len(texts(page, ".feedback dd")) == 4 * len(FAILED_TESTS) + 1
    assert page.ask("document.scrollingElement.scrollWidth") <= 760


@pytest.fixture
def scriptless(screen: Chromium, usual: str) -> Iterator[Chromium]:
    """The usual page where scripts are off."""
    screen.do("Emulation.setScriptExecutionDisabled", value=True)
    screen.open(usual)
    yield screen
    screen.do("Emulation.setScriptExecutionDisabled", value=False)


def test_without_scripts_all_but_the_click_is_there(scriptless: Chromium) -> None:
    names = named(scriptless, "listitem")
    assert any(name.startswith("Packet 1, client to server, 1/3 SYN") for name in names)
    assert "1/3 SYN seq 0" in texts(scriptless, ".ladder")[0]
    assert texts(scriptless, ".filter") == []
    assert "option" not in {node["role"] for node in scriptless.accessible()}
    scriptless.media(kind="print")
    assert len(texts(scriptless, ".feedback dd")) == 4 * len(FAILED_TESTS) + 1


# -- Malice and the world outside ----------------------------------------------


def test_words_from_outside_are_text(screen: Chromium, pages: Pages) -> None:
    address = pages.write("nasty", [nasty_result(0), samples.result(1)], nasty_trace())
    screen.open(address)
    screen.click("#t0p4")
    assert screen.ask("typeof x") == "undefined"
    assert screen.ask("document.querySelectorAll('script, img, noscript').length") == 2
    [text] = texts(screen, ".panel")
    assert "<script>x=1</script>" in text and "\\u202e" in text and "\u202e" not in text
    assert "<script>x=1</script>" in screen.ask("document.querySelector('.feedback').innerText")
    everything: str = screen.ask("document.documentElement.textContent")
    assert not {"\0", "\x1b", "\u202e"} & set(everything)
    assert NASTY.encode()[:16].hex(" ") in texts(screen, ".panel pre")[0]
    assert [event for event in screen.events if event["method"] in (
        "Page.javascriptDialogOpening", "Runtime.exceptionThrown", "Log.entryAdded")] == []


@pytest.mark.parametrize("data, text", [
    ("\u202eabc".encode(), "\\u{202e}abc"), (b"a\0b", "a\\u{0}b"), (b"\xff\xfeabc", None),
    ("早上好\n".encode(), "早上好\\n"), ("\U0001f600\u2028".encode(), "\U0001f600\\u{2028}"),
    (b"<b>&amp;", "<b>&amp;"),
])
def test_payload_as_text_shows_what_has_no_shape(
    page: Chromium, data: bytes, text: str
) -> None:
    kept = base64.b64encode(data).decode()
    page.ask(f"document.querySelector('#t5p4').dataset.b = {json.dumps(kept)}")
    page.click("#t5p4")
    told = dict(zip(texts(page, ".panel dt"), texts(page, ".panel dd")))
    assert told.get("As text") == text


def test_a_script_that_got_in_would_not_run(page: Chromium) -> None:
    page.ask("""(() => { const box = document.createElement('div');
        box.innerHTML = '<img src="data:," onerror="window.hacked = 1">';
        const script = document.createElement('script'); script.textContent = 'window.hacked = 1';
        document.body.append(box, script);
        return new Promise(done => setTimeout(done)); })()""")
    assert page.ask("typeof hacked") == "undefined"


def test_nothing_is_asked_of_any_network(page: Chromium, usual: str) -> None:
    page.click("#t5p4")
    page.click("#t6 > summary")
    asked = [event["params"]["request"]["url"] for event in page.events
             if event["method"] == "Network.requestWillBeSent"]
    assert asked == [usual]


def test_the_page_makes_no_complaint(page: Chromium) -> None:
    page.click("#t5p4")
    said: list[Any] = [event for event in page.events if event["method"] in (
        "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")]
    assert said == []
