"""The real huggingface_hub client talks to a server that speaks the part of the Hub's API that uploads need."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tools.tiny.project import environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline")]
TOKEN = "hf_for_the_test"


class Hub(ThreadingHTTPServer):
    """Keeps what was uploaded, as the Hub would."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.private: dict[str, bool] = {}
        self.large: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, value: Any, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self) -> None:
        data = self.body()
        self.server.large[hashlib.sha256(data).hexdigest()] = data
        self.reply({})

    def do_POST(self) -> None:
        body = self.body()
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.reply({"error": "Invalid credentials"}, 401)
        elif self.path == "/api/repos/create":
            asked = json.loads(body)
            self.server.private[asked["name"]] = asked.get("visibility") == "private" or asked.get(
                "private", False
            )
            self.reply(
                {
                    "url": f"{self.server.address}/team/{asked['name']}",
                    "id": f"team/{asked['name']}",
                }
            )
        elif "/preupload/" in self.path:
            modes = {".safetensors": "lfs"}
            files = [{"path": file["path"]} for file in json.loads(body)["files"]]
            self.reply({"files": [
                {**file, "uploadMode": modes.get(Path(file["path"]).suffix, "regular"), "shouldIgnore": False} for file in files
            ]})  # fmt: skip
        elif self.path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            upload = {"upload": {"href": f"{self.server.address}/put"}}
            self.reply(
                {"transfer": "basic", "objects": [{**each, "actions": upload} for each in objects]}
            )
        elif "/commit/" in self.path:
            self.commit([json.loads(line) for line in body.splitlines()])
            address = f"{self.server.address}/team/handbook"
            self.reply({"commitOid": "0" * 40, "commitUrl": f"{address}/commit/{'0' * 40}"})
        else:
            self.reply({})

    def commit(self, operations: list[dict[str, Any]]) -> None:
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "file":
                self.server.files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                self.server.files[value["path"]] = self.server.large[value["oid"]]

    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        self.reply({}) if known else self.reply({"error": "Invalid credentials"}, 401)


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def publish(
    workspace: Path, hub: Hub, *options: str, token: str = TOKEN
) -> subprocess.CompletedProcess[str]:
    changed = {
        "HF_ENDPOINT": hub.address,
        "HF_TOKEN": token,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
    }
    command = [Path(sys.executable).with_name("argot"), "publish", "team/handbook", *options]
    return subprocess.run(
        command,
        cwd=workspace,
        env={**environment(), **changed},
        input="n\n",
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_embedder_goes_up_private_with_a_card_and_comes_back_the_same(
    built: Path, hub: Hub
) -> None:
    result = publish(built, hub)
    assert result.returncode == 0, result.stderr
    assert hub.private == {"handbook": True}
    embedder = built / "models/release/embedder"
    assert hub.files["model.safetensors"] == (embedder / "model.safetensors").read_bytes()
    assert set(hub.files) == {
        p.relative_to(embedder).as_posix() for p in embedder.rglob("*") if p.is_file()
    } | {"README.md"}
    card = hub.files["README.md"].decode()
    assert (
        "## Verdict: unproven" in card
        and "| tuned + BM25 |" in card
        and 'SentenceTransformer("team/handbook")' in card
    )


def test_a_dry_run_shows_the_card_and_sends_nothing(built: Path, hub: Hub) -> None:
    result = publish(built, hub, "--dry-run")
    assert (
        result.returncode == 0 and "## Verdict" in result.stdout and "would upload" in result.stdout
    )
    assert hub.private == {} and hub.files == {}


def test_it_asks_before_everyone_can_see_it(built: Path, hub: Hub) -> None:
    result = publish(built, hub, "--public")
    assert result.returncode == 2 and "nothing was published" in result.stderr
    assert hub.private == {}


def test_a_wrong_token_is_told_in_a_line_without_it(built: Path, hub: Hub) -> None:
    result = publish(built, hub, token="hf_wrong")
    assert result.returncode == 2
    assert (
        result.stderr.count("\n") == 1
        and "HTTP 401" in result.stderr
        and "hf_wrong" not in result.stderr
    )


def test_no_document_is_published(built: Path, hub: Hub) -> None:
    assert publish(built, hub).returncode == 0 and hub.files
    told = b"\n".join(
        data
        for name, data in sorted(hub.files.items())
        if name not in ("tokenizer.json", "vocab.txt")
    )
    assert b"is changed at the next port of call" not in told
