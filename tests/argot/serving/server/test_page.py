"""The page in a real browser: what a person sees, presses and can't be harmed by."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from argot.core.parquet import write_table
from argot.feedback.journal import read_feedback
from argot.serving.server.app import create_app
from argot.serving.server.server_settings import ServerSettings
from argot.tables import documents
from tests.support.chat_provider import Script, Turn, serving
from tests.support.releases import without_tokens
from tools.tiny.release import rows
from tools.tiny.server import listening

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("page"),
    pytest.mark.skipif(
        not shutil.which("chromium") or not shutil.which("chromedriver"), reason="needs chromium"
    ),
]
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
READ = "/read?document=pumps/noise.md&passage=pumps/noise.md%231"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
ANSWER = ["The rotor ", 'is stuck. [1 "the rotor is stuck"]', '\nCall the mayor. [1 "the mayor"]']


class Page:
    """A browser at the page, with the words of its user."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver, self.address = driver, address

    def open(self, path: str = "/") -> None:
        self.driver.get("about:blank")
        self.driver.get(self.address + path)
        self.until(lambda: "ready" in self.one("body").get_attribute("class"))

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def run(self, script: str) -> Any:
        return self.driver.execute_script(f"return {script}")

    def until(self, condition: Callable[[], Any], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not self._holds(condition):
            assert time.monotonic() < end, self.one("body").text
            time.sleep(0.05)

    @staticmethod
    def _holds(condition: Callable[[], Any]) -> bool:
        try:
            return bool(condition())
        except StaleElementReferenceException:  # the page has drawn anew in between
            return False

    def emulate(self, width: int, scheme: str) -> None:
        metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    yield driver
    driver.quit()


@pytest.fixture
def page(
    driver: webdriver.Chrome,
    inputs: Path,
    settings: ServerSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Page]:
    """The page of a server in a repository, with a provider that answers from a script."""
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    texts: dict[str, str] = {}
    for row in rows():
        texts[row["document"]] = f"{texts.get(row['document'], ''):<{row['start']}}{row['text']}"
    fixed = {"format": "markdown", "language": "en", "sha256": "", "metadata": "{}"}
    table = [
        {"document": name, "title": name, "text": text, "group": name, **fixed}
        for name, text in texts.items()
    ]
    write_table(inputs / documents.PATH, table, documents.SCHEMA)
    with serving(Script(Turn(text=ANSWER))) as script:
        own = replace(
            settings, base_url=f"{script.url}/v1", provider="openai", model="m", workbench=True
        )
        with listening(create_app(own)) as address:
            page = Page(driver, address)
            page.emulate(1300, "light")
            driver.get_log("performance")
            driver.get_log("browser")
            yield page
            check_quiet(driver, address)


def check_quiet(driver: webdriver.Chrome, address: str) -> None:
    """No request went elsewhere, and no policy, script or file was complained about."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]
    assert sent
    # chrome: is the browser's own first tab, which may still be loading when the test begins.
    own = (address, "about:", "data:", "chrome:", "chrome-untrusted:")
    assert {url for url in sent if not url.startswith(own)} == set()
    assert [
        entry["message"]
        for entry in driver.get_log("browser")
        if entry["level"] in ("SEVERE", "WARNING")
    ] == []


def test_passages_tell_why_they_matched_and_take_a_thumb(
    page: Page, settings: ServerSettings
) -> None:
    page.open()
    page.press(Keys.ESCAPE, "/", "rotor error E-17", Keys.ENTER)
    page.until(lambda: page.all(".passage"))
    assert [mark.text for mark in page.all(".passage:first-child mark")] == [
        "Error",
        "E-17",
        "rotor",
    ]
    ranks = [rank.text for rank in page.all(".passage:first-child .system b")]
    assert [system.text for system in page.all(".passage:first-child .system")] == [
        "words 1",
        f"meaning {ranks[1]}",
        f"tokens {ranks[2]}",
    ]
    assert all(rank.isdigit() for rank in ranks)
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP, "+")
    page.until(lambda: "Kept" in page.one("#status").text)
    [thumb] = [record for record in read_feedback(settings.feedback)[0] if record.kind == "thumb"]
    assert (thumb.query, thumb.verdict, thumb.document) == (
        "rotor error E-17",
        "up",
        "pumps/noise.md",
    )
    assert page.one(".passage .thumb.up").get_attribute("aria-pressed") == "true"


def test_a_passage_shows_its_neighbours_and_leads_into_its_document(page: Page) -> None:
    page.open("/?q=error+E-17")
    page.until(lambda: page.all(".passage"))
    page.one(".passage .around").click()
    page.until(lambda: page.all(".passage .context"))
    assert page.one(".passage .context").text.startswith("A rattling pump runs dry")
    page.one(".passage a.document").click()
    page.until(lambda: page.all(".read .marked"))
    assert page.one("h1").text == "pumps/noise"
    assert page.one(".marked").text == "Error E-17 means the rotor is stuck."
    assert [one.text for one in page.all("#pieces h2")] == ["Noise"]
    page.driver.back()
    page.until(lambda: page.all(".passage"))


def test_modes_are_those_of_the_release(page: Page) -> None:
    page.open("/?q=rotor")
    page.until(lambda: page.all(".passage"))
    modes = page.all("#modes label")
    assert [mode.text for mode in modes] == ["Together", "Words", "Meaning", "Tokens"]
    modes[3].click()
    page.until(lambda: page.all(".passage:first-child .system.none"))
    for number, passage in enumerate(page.all(".passage"), start=1):
        ranks = [rank.text for rank in passage.find_elements(By.CSS_SELECTOR, ".system b")]
        assert ranks == ["–", "–", str(number)]


def test_a_release_without_tokens_shows_none(
    driver: webdriver.Chrome, settings: ServerSettings, spoilt: Path
) -> None:
    without_tokens(spoilt)
    with listening(create_app(replace(settings, release=spoilt))) as address:
        page = Page(driver, address)
        page.open("/?q=rotor")
        page.until(lambda: page.all(".passage"))
        shown = [mode.text for mode in page.all("#modes label") if mode.is_displayed()]
        assert shown == ["Together", "Words", "Meaning"]
        told = [system.text.split()[0] for system in page.all(".passage:first-child .system")]
        assert told == ["words", "meaning"]


def test_of_two_releases_it_keeps_what_is_opened_and_hides_whose_passage_it_is(
    driver: webdriver.Chrome, settings: ServerSettings, spoilt: Path
) -> None:
    without_tokens(spoilt)
    app = create_app(replace(settings, candidate=spoilt))
    for watcher in (app.state.server.watcher, app.state.server.candidate):
        watcher.current.batcher.ready.wait()

    def opened() -> list[str]:
        return [one.search for one in read_feedback(settings.feedback)[0] if one.kind == "click"]

    with listening(app) as address:
        page = Page(driver, address)
        page.open("/?q=rotor")
        page.until(lambda: page.all(".passage"))
        assert not page.all(".score, .system")
        page.one(".passage .text").click()
        page.until(opened)
    [asked] = [one for one in read_feedback(settings.feedback)[0] if one.teams]
    assert opened() == [asked.search]


def test_a_citation_leads_to_the_words_it_quotes(page: Page) -> None:
    page.open("/?q=what+does+error+E-17+mean")
    page.until(lambda: page.all(".claim"))
    assert [claim.text for claim in page.all(".claim .words")] == [
        "The rotor is stuck.",
        "Call the mayor.",
    ]
    assert "not supported" in page.all(".claim")[1].text
    page.one(".cite").click()
    page.until(lambda: page.all("mark.quoted"))
    assert page.one("mark.quoted").text == "the rotor is stuck"


def test_back_and_address_hold_the_question(page: Page) -> None:
    page.open("/?q=seal")
    page.until(lambda: page.all(".passage"))
    page.one("#query").clear()
    page.one("#query").send_keys("wages", Keys.ENTER)
    page.until(lambda: page.run("location.search") == "?q=wages")
    page.driver.back()
    page.until(lambda: page.one("#query").get_attribute("value") == "seal" and page.all(".passage"))


def test_what_a_document_or_a_question_says_is_never_markup(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.open()
    made = page.run(
        f"import('/page/dom.js').then((dom) => {{ document.body.append(...dom.readable({json.dumps(HOSTILE)}, ['img']),"
        f" dom.place({{document: {json.dumps(HOSTILE)}, heading: {json.dumps(HOSTILE)}}})); return document.body.innerText; }})"
    )
    assert made.count("onerror") == 3
    page.open(f"/?q={HOSTILE.replace(' ', '+')}")
    page.until(lambda: page.all(".passage"))
    assert page.driver.title.startswith("<img")
    assert page.run("document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1300, "dark")])
@pytest.mark.parametrize(
    "path", ["/", "/?q=pump+seal", "/?q=pump+seal#compare", "/?q=pump+seal#label", "/docs", READ]
)
def test_it_fits_a_phone_and_the_night(page: Page, width: int, scheme: str, path: str) -> None:
    page.emulate(width, scheme)
    page.driver.get("about:blank")
    page.driver.get(page.address + path)
    shown = {"/": "#about", "/docs": ".route", READ: ".marked"}.get(path, ".passage, .slot")
    page.until(lambda: page.all(shown))
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    red = int(page.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"))
    assert red < 60 if scheme == "dark" else red > 200


def test_systems_stand_side_by_side_with_each_passages_moves(page: Page) -> None:
    page.open("/?q=error+E-17#compare")
    page.until(lambda: page.all(".curve"))
    assert [head.text for head in page.all(".column h3")] == [
        "Base",
        "Base + BM25",
        "Base + BM25 + tokens",
        "BM25",
        "Tuned + BM25 + tokens ships",
        "Tuned + BM25",
        "Tuned",
    ]
    assert (
        page.one('.column[data-system="bm25"] .slot').get_attribute("data-id") == "pumps/noise.md#1"
    )
    for slot in page.all('.column[data-system="tuned"] .slot'):
        before = page.one(
            f'.column[data-system="tuned+bm25"] .slot[data-id="{slot.get_attribute("data-id")}"] .rank'
        )
        moved = int(before.text) - int(slot.find_element(By.CLASS_NAME, "rank").text)
        told = slot.find_element(By.CLASS_NAME, "move").text
        assert told == (f"{'↑' if moved > 0 else '↓'}{abs(moved)}" if moved else "=")


def test_ten_judgments_by_keyboard(page: Page, inputs: Path) -> None:
    page.open("/#label")
    page.until(lambda: page.all(".question"))
    for number in range(10):
        page.one("#query").clear()
        page.one("#query").send_keys(f"question number {number} about pumps", Keys.ENTER)
        page.until(
            lambda number=number: (
                page.one(".question h2").text == f"question number {number} about pumps"
            )
        )  # type: ignore[misc]
        page.press(*(["0"] if number == 9 else ["1", "2", "1", Keys.ENTER]))
        page.until(lambda number=number: f"{number + 1} judged" in page.one(".progress").text)  # type: ignore[misc]
    lines = [
        json.loads(line)
        for line in (inputs / "data/queries/labelled.jsonl").read_text().splitlines()
    ]
    assert len(lines) == 9
    known = {(row["document"], row["text"]) for row in rows()}
    assert {(one["document"], one["quote"]) for line in lines for one in line["relevant"]} <= known
    unanswered = (inputs / "data/feedback/review/unanswered.jsonl").read_text()
    assert json.loads(unanswered)["query"] == "question number 9 about pumps"


def test_selected_words_are_the_quote(page: Page, inputs: Path) -> None:
    page.open("/?q=rotor#label")
    page.until(lambda: page.all(".candidate"))
    card = next(card for card in page.all(".candidate") if "rotor" in card.text)
    page.driver.execute_script(
        "const text = arguments[0].querySelector('.text p').firstChild; const range = document.createRange();"
        "range.setStart(text, 17); range.setEnd(text, 35); getSelection().removeAllRanges();"
        "getSelection().addRange(range);"
        "arguments[0].dispatchEvent(new MouseEvent('mouseup', {bubbles: true}));",
        card,
    )
    assert card.find_element(By.CLASS_NAME, "quote").text == "“the rotor is stuck”"
    page.press(Keys.ENTER)
    labelled = inputs / "data/queries/labelled.jsonl"
    page.until(lambda: labelled.exists() and labelled.read_text().endswith("\n"))
    [line] = (inputs / "data/queries/labelled.jsonl").read_text().splitlines()
    expected = {
        "query": "rotor",
        "relevant": [{"document": "pumps/noise.md", "quote": "the rotor is stuck"}],
    }
    assert json.loads(line) == expected


def test_a_server_with_a_key_asks_for_it_once(
    driver: webdriver.Chrome, settings: ServerSettings
) -> None:
    with listening(create_app(replace(settings, api_key="sesame"))) as address:
        page = Page(driver, address)
        driver.get(address)
        page.until(lambda: page.run("document.getElementById('key').open"))
        page.one("#secret").send_keys("sesame", Keys.ENTER)
        page.until(lambda: "8 passages" in page.one("#about").text)
        page.one("#query").send_keys("seal", Keys.ENTER)
        page.until(lambda: page.all(".passage"))
        driver.execute_script("sessionStorage.clear()")
