"""What most pages of a folder begin or end with is left out of all but the first."""

from __future__ import annotations

from typing import Any

from argot.documents.formats.repeated import leave_out_repeated

WORDS = ("berth", "crane", "reefer", "pilot", "tug", "seal", "lash", "tariff", "claim", "gate")


def site(page: str, folder: str = "wiki", count: int = 10) -> list[dict[str, Any]]:
    return [
        {"document": f"{folder}/{word}.html", "format": "html", "text": page.format(word)}
        for word in WORDS[:count]
    ]


CONTENT = "Ships call the {0} desk by radio before they come in, and wait there for the pilot."
PAGE = "Harbour wiki 3.1\n\nSpeak up!\n\n# The {0}\n\n" + CONTENT + "\n\n- Imprint\n- Help"


def test_banner_and_footer_stay_in_the_first_page_alone() -> None:
    rows = site(PAGE)
    left_out = leave_out_repeated(rows)
    assert rows[0]["text"] == PAGE.format("berth")
    assert rows[3]["text"] == f"# The pilot\n\n{CONTENT.format('pilot')}"
    assert left_out == [
        {"folder": "wiki", "text": text, "documents": 9}
        for text in ("- Imprint\n- Help", "Harbour wiki 3.1", "Speak up!")
    ]


def test_what_is_repeated_within_the_content_stays() -> None:
    rows = site("Before the {0}.\n\n## Parameters\n\nNone.\n\nAfter the {0}.\n\n## Costs\n\nNone.")
    assert leave_out_repeated(rows) == [] and rows[9]["text"].count("None.") == 2


def test_half_of_the_pages_are_not_most() -> None:
    rows = [*site(PAGE, count=5), *site(CONTENT, "wiki/old", 5)]
    rows.sort(key=lambda row: str(row["document"]))
    assert leave_out_repeated(rows) == []


def test_pages_below_a_folder_belong_together_and_few_pages_are_no_site() -> None:
    rows = site(PAGE, "mirror")
    for row in rows:
        row["document"] = row["document"].replace(".html", "/index.html")
    assert leave_out_repeated(rows)[0]["folder"] == "mirror"
    assert leave_out_repeated([*site(PAGE, "a", 9), *site(PAGE, "b", 9)]) == []


def test_versions_of_one_text_stay_whole() -> None:
    rows = site(f"{CONTENT}\n\n{{0}}\n\n{CONTENT}".replace("{0} desk", "desk"))
    assert leave_out_repeated(rows) == [] and rows[9]["text"].startswith("Ships call")


def test_other_formats_are_not_touched() -> None:
    rows = [row | {"format": "md"} for row in site(PAGE)]
    assert leave_out_repeated(rows) == []
