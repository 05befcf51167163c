"""Documents that no parser should ever meet: each is named with its reason, and nothing else is lost."""

from __future__ import annotations

import email.message
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from argot.documents.formats.reader import kind_of

ROOT = Path(__file__).parents[2]
GOOD = {
    f"good/{number}.md": f"# Notice {number}\n\nBerth {number} is closed today.\n"
    for number in range(60)
}
ODT = b"application/vnd.oasis.opendocument.text"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89"


def office(member: str, content: bytes = b"<x/>", **more: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(member, content)
        for name, inner in more.items():
            archive.writestr(name.replace("__", "/"), inner)
    return stream.getvalue()


def archive(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def docx(text: str = "Cranes stop at wind force eight.") -> bytes:
    from docx import Document

    document, stream = Document(), io.BytesIO()
    document.add_paragraph(text)
    document.save(stream)
    return stream.getvalue()


def replaced(data: bytes, member: str, content: bytes) -> bytes:
    """An Office file with one of its members replaced."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, content if name == member else old.read(name))
    return stream.getvalue()


def xlsx() -> bytes:
    from openpyxl import Workbook

    book, stream = Workbook(), io.BytesIO()
    book.active.append(["port", "fee"])
    book.save(stream)
    return stream.getvalue()


def slow_xlsx() -> bytes:
    row = b"<row>" + b"<c/>" * 10_000 + b"</row>"
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    )
    return replaced(
        xlsx(), "xl/worksheets/sheet1.xml", sheet + row * 1600 + b"</sheetData></worksheet>"
    )


def hungry_docx() -> bytes:
    body = b"<w:p><w:r><w:t>berth</w:t></w:r></w:p>" * 1_000_000
    space = b'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    document = b"<w:document " + space + b"><w:body>" + body + b"</w:body></w:document>"
    return replaced(docx(), "word/document.xml", document)


def pdf(text: str = "", password: str = "", pages: int = 1) -> bytes:
    from PIL import Image
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    stream = io.BytesIO()
    canvas = Canvas(stream, encrypt=StandardEncryption(password) if password else None)
    for _ in range(pages):
        if text:
            canvas.drawString(100, 500, text)
        else:
            canvas.drawInlineImage(Image.new("L", (8, 8)), 10, 10, 200, 200)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def mail(body: bytes) -> bytes:
    message = email.message.EmailMessage()
    message["Subject"] = "Berths"
    message.set_content("x")
    message.set_payload(body)
    return message.as_bytes()


def encrypted_zip() -> bytes:
    data = bytearray(office("word/document.xml"))
    data[6] |= 1  # the flag in the first member's own header, and in the directory
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


def lying_zip() -> bytes:
    """A member whose header tells fewer bytes than it holds."""
    data = bytearray(office("word/document.xml", b"<w>" + b"a" * 100_000))
    at = data.rindex(b"PK\1\2") + 24
    data[at : at + 4] = (10).to_bytes(4, "little")
    return bytes(data)


# In a worker, a parser that ends its process as a segmentation fault would.
CRASH = """
import os, argot.documents.formats.reader as reader
whole = reader.parse
def parse(name, data):
    return os._exit(139) if name == "crash.md" else whole(name, data)
reader.parse = parse
"""


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is limited to 108 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


def link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def unreadable(path: Path) -> None:
    path.write_text("Secret berths and secret cranes.")
    path.chmod(0)


ALIASES = "---\na: &a {k: x}\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
BAD: list[tuple[str, bytes | Callable[[Path], None], str]] = [
    # nothing in it
    ("empty.md", b"", "empty"),
    ("empty.pdf", b"", "empty"),
    ("empty.docx", b"", "empty"),
    ("blank.txt", b" \n\t\r\n ", "empty"),
    ("mark-only.txt", b"\xef\xbb\xbf", "holds no text"),
    ("no-words.html", b"<html><body><script>x()</script></body></html>", "holds no text"),
    ("no-cells.csv", b",,,\n,,,\n", "holds no text"),
    (
        "no-rows.xlsx",
        replaced(xlsx(), "xl/worksheets/sheet1.xml", b"<worksheet/>"),
        "holds no text",
    ),
    ("front-only.md", b"---\ntitle: Nothing\n---\n", "holds no text"),
    ("controls.txt", b"\x07" * 50, "holds no text"),
    # not what it says
    ("text.pdf", b"This is no PDF at all.", "corrupt pdf"),
    ("text.docx", b"This is no Word file.", "corrupt docx"),
    ("text.xlsx", b"port,fee\nRTM,45\n", "corrupt xlsx"),
    ("text.pptx", b"no slides", "corrupt pptx"),
    ("text.epub", b"no book", "corrupt epub"),
    ("text.odt", b"no text", "corrupt odt"),
    ("text.zip", b"no archive", "corrupt zip file"),
    ("text.ipynb", b"{no notebook", "corrupt notebook"),
    ("picture.md", PNG + b"\0" * 100, "binary of unknown kind"),
    ("program", b"\x7fELF\2\1\1" + b"\0" * 200, "binary of unknown kind"),
    ("noise.txt", zlib.compress(json.dumps(list(range(9999))).encode()), "binary of unknown kind"),
    ("zip-in-name.docx", office("hello.txt"), "a zip file that is no document; unpack it"),
    ("folders.zip", archive({"folder/": b"", "__MACOSX/._a.md": b"x"}), "holds no files"),
    ("mixed.zip/inner.zip", archive({"a.md": b"x"}), "an archive within an archive; unpack it"),
    ("mixed.zip/empty.md", b"", "empty"),
    ("mixed.zip/large.txt", b"berth " * (1 << 19), "larger than ingest.max_file_megabytes (2)"),
    ("mixed.zip/bad.pdf", b"%PDF-1.7\n", "corrupt pdf"),
    ("budget.xlsb", office("xl/workbook.bin"), "a binary Excel workbook; save it as .xlsx"),
    (
        "letter.pages",
        office("Index/Document.iwa"),
        "Apple iWork; export it as .docx, .xlsx, .pptx or .pdf",
    ),
    ("old.doc", OLE + b"\0" * 600, "old Office format; save it as .docx, .xlsx, .pptx or .eml"),
    ("empty.rtf", b"{\\rtf1\\ansi }", "holds no text"),
    ("no-header.eml", b"\n\nno header here", "corrupt eml: no header"),
    # broken
    ("head-only.pdf", b"%PDF-1.7\n", "corrupt pdf"),
    ("noise.pdf", b"%PDF-1.4\n" + zlib.compress(bytes(range(256)) * 50), "corrupt pdf"),
    (
        "no-pages.pdf",
        b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
        "corrupt pdf",
    ),
    ("half.docx", docx()[:5000], "corrupt zip file"),
    ("half.xlsx", xlsx()[: len(xlsx()) // 2], "corrupt zip file"),
    ("head-only.zip", b"PK\3\4", "corrupt zip file"),
    ("not-xml.docx", replaced(docx(), "word/document.xml", b"<w:document"), "corrupt docx"),
    ("no-document.docx", office("word/document.xml", b""), "corrupt docx"),
    ("not-xml.xlsx", replaced(xlsx(), "xl/workbook.xml", b"&&&"), "corrupt xlsx"),
    ("bare.xlsx", office("xl/workbook.xml"), "corrupt xlsx"),
    ("bare.pptx", office("ppt/presentation.xml"), "corrupt pptx"),
    ("bare.epub", office("META-INF/container.xml"), "corrupt epub"),
    (
        "lost-chapter.epub",
        office("META-INF/container.xml", b'<c><rootfile full-path="no.opf"/></c>'),
        "corrupt epub",
    ),
    ("lies.docx", lying_zip(), "corrupt docx"),
    # closed to us
    ("closed.pdf", pdf("Secret cranes", password="tide"), "encrypted"),
    ("closed.docx", OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
    ("closed-zip.docx", encrypted_zip(), "encrypted"),
    (
        "closed.odt",
        office("META-INF/manifest.xml", b"<encryption-data/>", mimetype=ODT),
        "encrypted",
    ),
    ("bare.odt", office("settings.xml", mimetype=ODT), "corrupt odt"),
    (
        "closed.epub",
        office("META-INF/container.xml", **{"META-INF__encryption.xml": b"a.xhtml"}),
        "encrypted",
    ),
    ("scan.pdf", pdf(pages=3), "a scan without text; run OCR over it"),
    # hostile
    (
        "bomb.docx",
        office("word/document.xml", bytes(200 << 20)),
        "zip bomb: unpacks to more than 100 times its size",
    ),
    ("large.txt", b"berth " * (1 << 19), "larger than ingest.max_file_megabytes (2)"),
    ("hungry.docx", hungry_docx(), "needs more memory than ingest.max_memory_megabytes (300)"),
    (
        "aliases.md",
        ALIASES.encode() + b"---\nBerths\n",
        "its front matter holds more than 10000 values",
    ),
    ("deep.html", b"<div>" * 5_000 + b"Cranes" + b"</div>" * 5_000, "nested too deeply"),
    ("outside.md", link("/etc/hostname"), "a link to outside of data/raw"),
    ("outside-folder", link("/etc"), "a link to outside of data/raw"),
    ("nowhere.md", link("/no/such/file"), "a link to nothing"),
    ("itself.md", link("itself.md"), "a link to nothing"),
    ("pipe.txt", fifo, "not a regular file"),
    ("socket.txt", unix_socket, "not a regular file"),
    ("closed.md", unreadable, "no permission to read it"),
]
# Odd but readable: refused by no one.
ODD: dict[str, bytes] = {
    "latin.txt": "Die Gebühr für Übergrößen beträgt fünf Euro je Stück, zuzüglich der Steuer.".encode(
        "latin-1"
    ),
    "wide.txt": "Cranes stop at wind force eight.".encode("utf-16"),
    "wide-unmarked.txt": "Cranes stop at wind force eight.".encode("utf-16-le"),
    "some-broken-bytes.md": "Gebühr für Öl: fünf €, Ü-Wagen übrig.".encode() + b" \xff ",
    "fence-never-closed.md": b"```\ncrane --stop\n",
    "not-front-matter.md": b"---\n: : :\n---\nBerths are closed.\n",
    "infinite-front.md": b"---\nweight: .inf\ndate: 2026-03-01\n---\nBerths are closed.\n",
    "unclosed.html": b"<html><body><p>Cranes <b>stop<table><tr><td>x",
    "long-line.txt": b"berth " * 100_000,
    "long-cell.csv": b"a,b\n" + b"x" * 300_000 + b",y\n",
    "half-quote.csv": b'a,b\n"never closed,1\n2,3\n',
    "odd charset.html": b"<meta charset=martian><p>Caf\xe9 and cr\xeape at the pier</p>",
    "odd-mail.eml": mail(b"Cranes \xff\xfe stop.") + b"\xff",
    "spaces and # marks [x].md": b"Berths are closed.\n",
    "about-pdf.md": b"A PDF begins with %PDF-1.7 and ends with %%EOF.\n",
    "mixed.zip/good.md": b"# Berths\n\nBerth nine is closed.\n",
    "mixed.zip/folder/berths.csv": b"berth,open\n9,no\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the stage was run over all of them."""
    folder = tmp_path_factory.mktemp("bad")
    raw = folder / "data" / "raw"
    (raw / "good").mkdir(parents=True)
    for name, text in GOOD.items():
        (raw / name).write_text(text)
    (raw / "~$letter.docx").write_bytes(b"\x05Ann" + b"\0" * 158)  # Word's lock file
    mixed: dict[str, bytes] = {}
    for name, content in [*ODD.items(), *((name, content) for name, content, _ in BAD)]:
        if not isinstance(content, bytes):
            content(raw / name)
        elif name.startswith("mixed.zip/"):
            mixed[f"../{name.removeprefix('mixed.zip/')}"] = (
                content  # a name that leads out of the archive
            )
        else:
            (raw / name).write_bytes(content)
    (raw / "mixed.zip").write_bytes(archive(mixed))
    (raw / os.fsdecode(b"n\xe9.md")).write_text("A name in Latin-1.")
    limits = {
        "max_failed_share": 0.9,
        "max_file_megabytes": 2,
        "max_seconds": 100,
        "max_memory_megabytes": 300,
    }
    write_params(folder, **limits)
    (folder / "run").write_text(ingest(folder))
    return folder


def write_params(folder: Path, **settings: float) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["ingest"] |= settings
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def ingest(folder: Path) -> str:
    """Run the stage as DVC does; what it prints, and then its exit code. Root gives up its right to read everything."""
    rights = "-dac_override,-dac_read_search"
    mortal = (
        ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"] if os.geteuid() == 0 else []
    )
    done = subprocess.run(
        [*mortal, sys.executable, "-m", "stages.ingest"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    return f"{done.stdout}{done.stderr}{done.returncode}"


def refused(folder: Path) -> dict[str, str]:
    figures = json.loads((folder / "data/figures/ingest.json").read_text())
    return {entry["document"]: entry["reason"] for entry in figures["refused_documents"]}


@pytest.mark.parametrize(("name", "reason"), [(name, reason) for name, _, reason in BAD])
def test_a_bad_file_is_named_with_its_reason(folder: Path, name: str, reason: str) -> None:
    assert refused(folder).get(name) == reason


def test_the_run_ends_well_with_one_line(folder: Path) -> None:
    lines = (folder / "run").read_text().splitlines()
    assert lines[-1] == "0"
    assert len(lines) == 2, lines


def test_nothing_else_is_lost(folder: Path) -> None:
    table = pq.read_table(folder / "data/documents.parquet")
    kept = set(table["document"].to_pylist())
    assert kept >= set(GOOD) | set(ODD)
    assert len(kept) + len(refused(folder)) == len(GOOD) + len(ODD) + len(BAD) + 1


def test_what_is_odd_is_read_whole(folder: Path) -> None:
    table = pq.read_table(folder / "data/documents.parquet").to_pylist()
    texts = {row["document"]: row["text"] for row in table}
    assert texts["latin.txt"] == ODD["latin.txt"].decode("latin-1")
    assert texts["wide.txt"] == texts["wide-unmarked.txt"] == "Cranes stop at wind force eight."
    assert "Café and crêpe" in texts["odd charset.html"]
    assert texts["some-broken-bytes.md"].startswith("Gebühr für Öl: fünf €")


def test_a_name_that_is_no_text_is_refused(folder: Path) -> None:
    assert refused(folder)["n?.md"] == "its name is not Unicode"


def test_refusals_are_counted_by_reason(folder: Path) -> None:
    figures = json.loads((folder / "data/figures/ingest.json").read_text())
    assert (
        sum(figures["refused_reasons"].values())
        == figures["refused"]
        == len(figures["refused_documents"])
    )


def test_too_many_bad_files_end_the_run_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "data/raw").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for number in range(5):
        (tmp_path / f"data/raw/{number}.pdf").write_bytes(b"no PDF")
        (tmp_path / f"data/raw/{number}.md").write_text("Berths are closed.")
        (tmp_path / f"data/raw/{number}.png").write_bytes(
            PNG
        )  # a picture is no document, and so no failure
    assert ingest(tmp_path) == (
        "ingest: error: 5 of 15 files can't be read, more than ingest.max_failed_share (0.2) allows: "
        "0.pdf (corrupt pdf), 1.pdf (corrupt pdf), 2.pdf (corrupt pdf) and 2 more\n2"
    )


def test_a_parser_that_takes_too_long_is_ended_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/slow.xlsx").write_bytes(slow_xlsx())
    for number in range(9):
        (tmp_path / f"data/raw/{number}.md").write_text("Berths are closed.")
    write_params(tmp_path, max_seconds=2)
    assert ingest(tmp_path) == "ingest: 10 files → 9 documents; 1 refused\n0"
    assert refused(tmp_path) == {"slow.xlsx": "takes longer than ingest.max_seconds (2)"}


def test_a_parser_that_crashes_takes_no_other_file_down(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.md", "crash.md", "z.md")]
    for file in files:
        file.write_text("Berths are closed.")
    (tmp_path / "sitecustomize.py").write_text(CRASH)
    code = (
        "from argot.documents.formats.workers import *\n"
        f"files = [Path(name) for name in {[str(file) for file in files]!r}]\n"
        f"for file, result in read_all(Path({str(tmp_path)!r}), files, Limits(1, 60, 512)): print(file.name, result)"
    )
    path = f"{tmp_path}:{ROOT}"
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert lines[1] == "crash.md its parser crashed", done
    assert [line.split()[0] for line in lines] == ["a.md", "crash.md", "z.md"]
    assert all("Berths" in lines[number] for number in (0, 2))


def test_no_documents_end_the_run_with_one_line(tmp_path: Path) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    expected = "ingest: error: data/raw holds no documents; put Markdown, HTML, PDF, Office or mail files there\n2"
    assert ingest(tmp_path) == expected
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/.gitkeep").touch()
    assert ingest(tmp_path) == expected


def test_a_text_that_speaks_of_pdf_is_no_pdf() -> None:
    text = b"# Magic numbers\n\nA PDF begins with %PDF-1.7, and its end says where its table is.\n"
    assert [kind_of(name, text) for name in ("a.md", "a.txt", "a")] == ["markdown", "text", "text"]
    junk = b"From: a printer\n%PDF-1.4\n1 0 obj\nstartxref\n9\n%%EOF\n"
    assert [kind_of(name, junk) for name in ("a.pdf", "a")] == ["pdf", "pdf"]
