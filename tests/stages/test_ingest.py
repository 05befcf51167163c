"""Documents of every format become Markdown; copies are grouped, languages told."""

from __future__ import annotations

import email.message
import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from argot.documents.formats import Parsed, UnreadableError
from argot.documents.formats.reader import parse
from argot.documents.formats.workers import Limits, Read, read, read_all
from stages import ingest

ROOT = Path(__file__).parents[2]
LIMITS = Limits(file_megabytes=1, seconds=60, memory_megabytes=1024)
NOTICE = "The berth beside the north pier is closed to deep ships while divers repair the quay wall at low tide. "
HTML = b"""<html><head><title>Port rules</title><style>p {}</style></head><body><nav>Home | Fees</nav>
<h1>Rules</h1><p>Ships <b>must</b> call <a href="/vts">the tower</a>.</p>
<ul><li>by radio<ul><li>channel 12</li></ul></li><li>by phone</li></ul>
<pre><code>CALL tower
WAIT</code></pre>
<table><tr><th>Port</th><th>Fee</th></tr><tr><td>RTM</td><td>45</td></tr></table></body></html>"""


def docx() -> bytes:
    from docx import Document

    document, stream = Document(), io.BytesIO()
    document.add_heading("Crane manual", 0)
    document.add_heading("Wind", 1)
    document.add_paragraph("Cranes stop at force eight.")
    document.add_paragraph("Lower the boom", style="List Bullet")
    document.add_paragraph("Lock the wheels", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [*table.rows[0].cells, *table.rows[1].cells], ["Force", "Do", "8", "stop"], strict=True
    ):
        cell.text = text
    document.save(stream)
    return stream.getvalue()


def pptx() -> bytes:
    from pptx import Presentation
    from pptx.util import Inches

    deck, stream = Presentation(), io.BytesIO()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Night desk"
    frame = slide.placeholders[1].text_frame
    frame.text = "Answers after six"
    line = frame.add_paragraph()
    line.text, line.level = "within 30 minutes", 1
    cells = slide.shapes.add_table(2, 2, Inches(1), Inches(3), Inches(4), Inches(1)).table
    for number, text in enumerate(["Desk", "Phone", "Night", "112"]):
        cells.cell(number // 2, number % 2).text = text
    slide.notes_slide.notes_text_frame.text = "Mention the red phone."
    deck.save(stream)
    return stream.getvalue()


def xlsx() -> bytes:
    from datetime import date

    from openpyxl import Workbook

    book, stream = Workbook(), io.BytesIO()
    book.active.title = "Fees"
    for row in (
        ["Fees of 2026"],
        [],
        ["Port", "Fee", "From"],
        ["RTM", 45.5, date(2026, 3, 1)],
        ["A|B", 60],
    ):
        book.active.append(row)
    book.create_sheet("Empty")
    book.save(stream)
    return stream.getvalue()


def epub() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as book:
        book.writestr(
            "META-INF/container.xml", '<container><rootfile full-path="o/c.opf"/></container>'
        )
        book.writestr(
            "o/c.opf",
            '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>Knots</dc:title></metadata>'
            '<manifest><item id="b" href="2%20b.xhtml"/><item id="a" href="1.xhtml"/></manifest>'
            '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>',
        )
        book.writestr("o/1.xhtml", "<html><body><h1>Bowline</h1><p>A loop.</p></body></html>")
        book.writestr("o/2 b.xhtml", "<html><body><h1>Hitch</h1><p>A turn.</p></body></html>")
    return stream.getvalue()


def mail() -> bytes:
    message = email.message.EmailMessage()
    message["Subject"], message["From"], message["To"] = (
        "Berth für morgen",
        "ann@port.example",
        "bo@port.example",
    )
    message.set_content("Take berth nine.\n")
    message.add_alternative("<p>Take <b>berth</b> nine.</p>", subtype="html")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="plan.pdf")
    return message.as_bytes()


def pdf() -> bytes:
    from reportlab.lib import colors
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

    styles, stream = getSampleStyleSheet(), io.BytesIO()
    story: list[Any] = [Paragraph("Tariff book", styles["Title"])]
    for part in range(30):
        story += [
            Paragraph(f"Part {part}", styles["Heading2"]),
            Paragraph(NOTICE * 3, styles["BodyText"]),
        ]
    story.append(
        Table([["Port", "Fee"], ["RTM", "45"]], style=[("GRID", (0, 0), (-1, -1), 1, colors.black)])
    )

    def head(canvas: Any, document: Any) -> None:
        canvas.drawString(60, 820, "Internal use")
        canvas.drawString(300, 30, f"Page {document.page}")

    SimpleDocTemplate(stream).build(story, onFirstPage=head, onLaterPages=head)
    return stream.getvalue()


def markdown(name: str, data: bytes) -> str:
    return parse(name, data).text


def test_html_keeps_structure_and_drops_dress() -> None:
    page = parse("rules.html", HTML)
    assert page.title == "Port rules"
    assert page.text == (
        "# Rules\n\nShips **must** call the tower.\n\n- by radio\n  - channel 12\n- by phone\n\n"
        "```\nCALL tower\nWAIT\n```\n\n| Port | Fee |\n| --- | --- |\n| RTM | 45 |"
    )


def test_html_is_known_by_its_content() -> None:
    assert parse("page", b"<!DOCTYPE html><html><body><h1>A</h1>x</body></html>").format == "html"


def test_word_keeps_headings_lists_and_tables() -> None:
    assert markdown("manual.docx", docx()) == (
        "# Crane manual\n\n# Wind\n\nCranes stop at force eight.\n\n- Lower the boom\n- Lock the wheels\n\n"
        "| Force | Do |\n| --- | --- |\n| 8 | stop |"
    )


def test_slides_become_sections() -> None:
    assert markdown("deck.pptx", pptx()) == (
        "## Night desk\n\n- Answers after six\n  - within 30 minutes\n\n"
        "| Desk | Phone |\n| --- | --- |\n| Night | 112 |\n\nMention the red phone."
    )


def test_sheets_become_tables_of_values() -> None:
    assert markdown("fees.xlsx", xlsx()) == (
        "## Fees\n\nFees of 2026\n\n| Port | Fee | From |\n| --- | --- | --- |\n"
        "| RTM | 45.5 | 2026-03-01 |\n| A\\|B | 60 |  |"
    )


def test_books_are_read_in_their_order() -> None:
    book = parse("knots.epub", epub())
    assert (book.title, book.text) == ("Knots", "# Bowline\n\nA loop.\n\n# Hitch\n\nA turn.")


def test_mail_keeps_subject_people_and_text() -> None:
    letter = parse("berth.eml", mail())
    assert letter.title == "Berth für morgen"
    assert (
        letter.text
        == "# Berth für morgen\n\nFrom: ann@port.example\nTo: bo@port.example\n\nTake berth nine."
    )
    assert letter.metadata["attachments"] == ["plan.pdf"]


def test_a_mail_saved_as_utf_16_is_read() -> None:
    text = "Subject: Berth\nFrom: ann@port.example\n\nTake berth nine."
    for encoding in ("utf-16", "utf-16-le"):
        assert parse("berth.eml", text.encode(encoding)).text.endswith("Take berth nine.")


def test_pdf_tells_headings_by_size_and_drops_running_heads() -> None:
    text = markdown("book.pdf", pdf())
    assert text.startswith("# Tariff book\n\n## Part 0\n\nThe berth beside")
    assert text.count("\n## Part ") == 30
    assert "| Port | Fee |\n| --- | --- |\n| RTM | 45 |" in text
    assert "Internal use" not in text and "Page" not in text
    assert NOTICE.strip() in text  # lines joined again


def test_pdf_reads_column_after_column_and_knows_bullets() -> None:
    from reportlab.pdfgen.canvas import Canvas

    stream = io.BytesIO()
    canvas = Canvas(stream)
    for left, word in ((60, "left"), (320, "right")):
        for number in range(6):
            canvas.drawString(
                left, 700 - 14 * number, f"This is line {number} of the {word} column."
            )
    canvas.drawString(60, 500, "–")
    canvas.drawString(80, 500, "Lower the boom of the crane before the wind comes")
    canvas.save()
    text = markdown("two.pdf", stream.getvalue())
    assert text.index("line 5 of the left") < text.index("line 0 of the right")
    assert "- Lower the boom" in text


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_by_any_separator(separator: str) -> None:
    data = "\n".join(
        separator.join(row) for row in (["port", "fee"], ["RTM", "45"], ["SIN", "60"])
    ).encode()
    assert markdown("fees.csv", data) == "| port | fee |\n| --- | --- |\n| RTM | 45 |\n| SIN | 60 |"


def test_code_is_one_block() -> None:
    assert markdown("run.py", b"# no heading\nx = 1\n") == "```\n# no heading\nx = 1\n```"


def test_front_matter_becomes_metadata() -> None:
    parsed = parse(
        "a.md",
        b"---\ntitle: Fees\ntags: [port, 2026]\nfrom: 2026-03-01\n---\n\nBerths cost money.\n",
    )
    assert parsed.title == "Fees"
    assert parsed.metadata == {"title": "Fees", "tags": ["port", 2026], "from": "2026-03-01"}
    assert parsed.text.strip() == "Berths cost money."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OPENING HOURS\nWe open at six.\n", "## OPENING HOURS\nWe open at six.\n"),
        ("Fees:\nA berth costs 45.\n", "### Fees\nA berth costs 45.\n"),
        ("Fees\n====\n\nText.\n\nLate\n~~~~\n\nMore.\n", "# Fees\n\nText.\n\n## Late\n\nMore.\n"),
        (
            "1. Scope\n\nAll ships.\n\n1.2 Boats\n\nNone.\n",
            "## 1. Scope\n\nAll ships.\n\n### 1.2 Boats\n\nNone.\n",
        ),
        ("Section 4 Fees\n\nText.\n", "## Section 4 Fees\n\nText.\n"),
        # no headings:
        ("1. Open the lid\n2. Close it\n", None),
        ("1. Open the lid\n\n2. Close it\n\n3. Go\n", None),
        ("The fee depends on these three things and is due at once, as follows:\n- size\n", None),
        ("WE ARE CLOSED.\n", None),
        ("Berths are closed,\nBUT NOT ALL\nof them.\n", None),
        ("NASA\n", None),
    ],
)
def test_headings_of_plain_text(text: str, expected: str | None) -> None:
    assert markdown("notes.txt", text.encode()) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Die Gebühr für Übergrößen beträgt fünf € je Stück."),
        ("cp1250", "Opłata za przekroczenie wynosi pięć złotych, a dźwigi stoją."),
        ("cp1251", "Краны останавливаются при сильном ветре, а плата составляет пять рублей."),
        ("koi8-r", "Краны останавливаются при сильном ветре, а плата составляет пять рублей."),
        ("cp1253", "Οι γερανοί σταματούν όταν φυσάει δυνατά και η χρέωση είναι πέντε ευρώ."),
        ("shift_jis", "強風のときクレーンは停止します。料金は一個につき五百円です。"),
        ("euc_jp", "強風のときクレーンは停止します。料金は一個につき五百円です。"),
        ("gb18030", "大风时起重机停止作业。费用为每件五元，请到窗口咨询详细情况。"),
        ("big5", "強風時起重機停止作業。費用為每件五元，請到窗口諮詢詳細情況。"),
        ("euc_kr", "강풍이 불면 크레인은 멈춥니다. 요금은 개당 오백원입니다."),
        ("utf-16", "Cranes stop – at force 8."),
        ("utf-16-be", "Cranes stop at force 8, and boats too."),
        ("utf-32", "Cranes stop – at force 8."),
        ("utf-8-sig", "Cranes stop – at force 8."),
    ],
)
def test_encodings_are_told(encoding: str, text: str) -> None:
    assert markdown("notes.txt", text.encode(encoding)) == text


def test_ligatures_are_taken_apart() -> None:
    assert (
        markdown("notes.txt", "ﬁgures of the oﬃce; ½ m²".encode()) == "figures of the office; ½ m²"
    )


def ingested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> list[dict[str, Any]]:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for name, data in files.items():
        path = tmp_path / "data/raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    monkeypatch.chdir(tmp_path)
    ingest.main()
    return list(pq.read_table("data/documents.parquet").to_pylist())


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_an_archive_is_read_as_a_folder_would_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = {
        "b/Fees.md": b"# Fees\n\nBerths cost 45.",
        "../../a.html": HTML,
        "b/.hidden": b"x",
        "b/~$c.docx": b"x",
    }
    found = ingested(
        tmp_path, monkeypatch, {"x.zip": zipped(inner), "y.md": b"Berths.", "w.md": b"Cranes."}
    )
    assert [row["document"] for row in found] == ["w.md", "x.zip/a.html", "x.zip/b/Fees.md", "y.md"]
    assert [row["title"] for row in found] == ["w", "Port rules", "Fees", "y"]


def test_metadata_of_folder_document_and_sidecar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "_meta.yaml": b"team: port\nyear: 2024\nkind: rule\n",
        "a.md": b"---\nyear: 2025\nkind: tariff\n---\nBerths.",
        "a.md.meta.yaml": b"kind: fee\ntitle: Fees of berths\n",
        "z.zip": zipped({"b.md": b"Cranes."}),
    }
    first, second = ingested(tmp_path, monkeypatch, files)
    assert json.loads(first["metadata"]) == {
        "team": "port",
        "year": 2025,
        "kind": "fee",
        "title": "Fees of berths",
    }
    assert first["title"] == "Fees of berths"
    assert json.loads(second["metadata"]) == {"team": "port", "year": 2024, "kind": "rule"}


def test_values_too_long_to_filter_by_are_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = (
        b"---\ntitle: " + b"t" * 999 + b"\nabstract: " + b"x" * 3000 + b"\nyear: 2026\n---\nBerths."
    )
    [found] = ingested(tmp_path, monkeypatch, {"a.md": front})
    assert json.loads(found["metadata"]).keys() == {"title", "year"}
    assert len(found["title"]) == ingest.LONGEST_TITLE
    figures = json.loads(Path("data/figures/ingest.json").read_text())
    assert figures["metadata_left_out"] == [{"document": "a.md", "keys": ["abstract"]}]


def test_what_most_pages_of_a_folder_begin_with_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "<p>Speak up!</p><h1>{0}</h1><p>Berth {0} is closed by the crane {0} at night.</p>"
    files = {f"{n}.html": page.format(n).encode() for n in range(10)}
    found = ingested(tmp_path, monkeypatch, files)
    assert [row["document"] for row in found if "Speak up!" in row["text"]] == ["0.html"]
    figures = json.loads(Path("data/figures/ingest.json").read_text())
    assert figures["repeated_text"] == [{"folder": "", "text": "Speak up!", "documents": 9}]


@pytest.mark.parametrize(
    "title",
    [
        "untitled",
        "Untitled Document",
        "PowerPoint Presentation",
        "Microsoft Word - a.doc",
        "Document1",
        "Slide 1",
        "plan.docx",
        "(anonymous)",
    ],
)
def test_titles_that_programs_give_are_not_used(title: str) -> None:
    for text, expected in (("# Fees\n\nText.", "Fees"), ("Text.", "tariff book")):
        found = ingest.row(ingest.RAW / "tariff-book.md", Read(Parsed("pdf", text, title), ""))
        assert found["title"] == expected


def test_a_row_keeps_where_the_pages_start() -> None:
    parsed = Parsed("pdf", "One.\n\nTwo.", "", {}, [0, 6])
    assert ingest.row(ingest.RAW / "a.pdf", Read(parsed, ""))["pages"] == [0, 6]
    assert ingest.row(ingest.RAW / "a.md", Read(parse("a.md", b"One."), ""))["pages"] is None


def test_code_is_called_by_its_path() -> None:
    found = ingest.row(
        ingest.RAW / "src/fees.py", Read(parse("fees.py", b"class A:\n    x = 1\n"), "")
    )
    assert found["title"] == "src/fees.py"


def test_languages_are_given_or_detected() -> None:
    german = "Die Kräne stehen still, wenn der Wind zu stark wird, und niemand darf hinauf."
    rows = [{"text": text} for text in (NOTICE, NOTICE, german, "大风时起重机停止作业", "OK")]
    ingest.set_languages(rows, "auto")
    assert [row["language"] for row in rows] == ["en", "en", "de", "zh", "en"]
    ingest.set_languages(rows, "fr")
    assert {row["language"] for row in rows} == {"fr"}


def test_dotfiles_are_no_documents_and_links_stay_inside(tmp_path: Path) -> None:
    from dvc.repo import Repo

    Repo.init(str(tmp_path), no_scm=True).close()
    own, other = (tmp_path / name / "cache/files/md5/ab" for name in (".dvc", "other/.dvc"))
    for cache in (own, other):
        cache.mkdir(parents=True)
        (cache / ("0" * 30)).write_text("Cached berths.")
    raw = tmp_path / "raw"
    (raw / ".git").mkdir(parents=True)
    for name in (".gitignore", ".DS_Store", ".git/config", "a.md", "b.md"):
        (raw / name).write_text("Berths.")
    (raw / "inside.md").symlink_to("a.md")
    (raw / "tracked.md").symlink_to(own / ("0" * 30))  # as DVC links it
    assert [file.name for file in ingest.find(raw)] == ["a.md", "b.md", "inside.md", "tracked.md"]
    assert read(raw, raw / "tracked.md", LIMITS).parsed.text == "Cached berths."
    (raw / "foreign.md").symlink_to(other / ("0" * 30))
    with pytest.raises(UnreadableError, match="a link to outside of data/raw"):
        read(raw, raw / "foreign.md", LIMITS)


def test_workers_read_in_the_order_of_files(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02}.md").write_text(f"Berth {number}")
    results = list(read_all(tmp_path, sorted(tmp_path.iterdir()), LIMITS, workers=2))
    parsed = [result.parsed for _, result in results if isinstance(result, Read)]
    assert parsed == [Parsed("markdown", f"Berth {number}") for number in range(30)]


def test_a_file_is_not_refused_for_memory_left_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker of the pool finds no memory left; the one that reads the file alone does."""
    from argot.documents.formats import workers

    (tmp_path / "a.md").write_text("Berths.")
    whole = workers._result
    answers: list[Any] = [workers.TooHungryError("needs more memory")]
    monkeypatch.setattr(
        workers, "_result", lambda *args: answers.pop() if answers else whole(*args)
    )
    [(_, result)] = read_all(tmp_path, [tmp_path / "a.md"], LIMITS)
    assert isinstance(result, Read) and result.parsed.text == "Berths."


def test_the_stage_writes_the_same_bytes_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    raw = tmp_path / "data/raw"
    raw.mkdir(parents=True)
    files = {
        "a.docx": docx(),
        "b.html": HTML,
        "c.eml": mail(),
        "d.md": b"# Fees\n\nBerths cost 45.\n",
    }
    for name, data in files.items():
        (raw / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    outputs = [Path("data/documents.parquet"), Path("data/figures/ingest.json")]
    runs = []
    for _ in range(2):
        assert ingest.main() == "4 files → 4 documents; 0 refused"
        runs.append([output.read_bytes() for output in outputs])
    assert runs[0] == runs[1]
    rows = pq.read_table(outputs[0]).to_pylist()
    assert [row["title"] for row in rows] == [
        "Crane manual",
        "Port rules",
        "Berth für morgen",
        "Fees",
    ]
    assert [row["document"] for row in rows] == [row["group"] for row in rows]
    assert json.loads(outputs[1].read_text())["formats"] == {
        "docx": 1,
        "html": 1,
        "eml": 1,
        "markdown": 1,
    }


def test_pages_that_are_pictures_stand_in_the_figures() -> None:
    metadata = json.dumps({"pages": 4, "pages_without_text": [2, 3]})
    rows = [
        {
            "document": "a.pdf",
            "text": "A berth",
            "format": "pdf",
            "language": "en",
            "group": "a.pdf",
            "metadata": metadata,
        },
        {
            "document": "b.md",
            "text": "A berth",
            "format": "markdown",
            "language": "en",
            "group": "b.md",
            "metadata": "{}",
        },
    ]
    assert ingest.figures(rows, [])["pages_without_text"] == [
        {"document": "a.pdf", "pages": [2, 3], "of": 4}
    ]


@pytest.mark.slow
def test_fifty_megabytes_of_text_are_read(tmp_path: Path) -> None:
    (tmp_path / "large.txt").write_text(NOTICE * (50 * (1 << 20) // len(NOTICE)))
    limits = Limits(file_megabytes=200, seconds=120, memory_megabytes=4096)
    [(_, result)] = read_all(tmp_path, [tmp_path / "large.txt"], limits)
    assert isinstance(result, Read)
    assert len(result.parsed.text) > 49 * (1 << 20)
