"""The pictures in README.md, taken of the real report and the real search page after `dvc repro`.

python -m tools.docs.pictures     writes docs/images/
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from argot.serving.server.app import create_app
from argot.serving.server.server_settings import ServerSettings
from tools.docs.commands import ROOT
from tools.tiny.server import listening

IMAGES = ROOT / "docs/images"
REPORT, RELEASE = ROOT / "reports/index.html", ROOT / "models/release"
QUESTION = "who releases a K4 hold?"
WIDTH, REPORT_HEIGHT, PAGE_HEIGHT = 1200, 980, 900
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-background-networking",
)


@contextmanager
def browser(height: int) -> Iterator[webdriver.Chrome]:
    """Debian's Chromium, light, at a fixed size."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    with TemporaryDirectory() as folder:
        for flag in (*FLAGS, f"--user-data-dir={folder}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(
            options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
        )
        metrics = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        try:
            yield driver
        finally:
            driver.quit()


def take_report() -> None:
    """The report's first page."""
    with browser(REPORT_HEIGHT) as driver:
        driver.get(REPORT.as_uri())
        driver.save_screenshot(str(IMAGES / "report.png"))


def take_search() -> None:
    """The search page with a question's passages."""
    with TemporaryDirectory() as folder, browser(PAGE_HEIGHT) as driver:
        settings = ServerSettings(
            release=RELEASE, feedback=Path(folder), device="cpu", keep_questions=False
        )
        with listening(create_app(settings)) as address:
            driver.get(f"{address}/?q={QUESTION.replace(' ', '+')}")
            ready = "return document.querySelectorAll('.passage').length > 2"
            WebDriverWait(driver, 30).until(lambda opened: opened.execute_script(ready))
            time.sleep(1)  # what fades in has come
            driver.save_screenshot(str(IMAGES / "search.png"))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    IMAGES.mkdir(parents=True, exist_ok=True)
    take_report()
    take_search()
