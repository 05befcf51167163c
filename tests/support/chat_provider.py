"""A provider on this machine that streams what a script says, in both wire formats."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Turn:
    """One reply: pieces of text, calls of tools as (name, arguments), or a misbehaviour."""

    text: list[str] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: int = 200
    wait: float = 0.0
    cut: bool = False  # the connection ends in the middle
    garbage: bool = False
    stop: str = ""


class Script:
    """What will be replied, and what was asked."""

    def __init__(self, *turns: Turn) -> None:
        self.turns = list(turns)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""


@contextmanager
def serving(script: Script) -> Iterator[Script]:
    """The server, for as long as the block lasts; `script.url` is its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            script.headers.append(dict(self.headers))
            script.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            turn = script.turns.pop(0) if len(script.turns) > 1 else script.turns[0]
            time.sleep(turn.wait)
            if turn.status != 200:
                self._fail(turn.status)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            events = anthropic(turn) if self.path.endswith("/messages") else openai(turn)
            for number, event in enumerate(events):
                if turn.cut and number == 3:
                    self.connection.shutdown(2)
                    return
                if turn.garbage and number == 3:
                    event = event.partition("data:")[0] + "data: {nonsense\n\n"
                self.wfile.write(event.encode())
                self.wfile.flush()

        def _fail(self, status: int) -> None:
            body = json.dumps(
                {"type": "error", "error": {"type": "api_error", "message": "no luck"}}
            ).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{httpd.server_port}"
    try:
        yield script
    finally:
        httpd.shutdown()
        httpd.server_close()


def anthropic(turn: Turn) -> Iterator[str]:
    """The Messages API's events."""
    usage = {"input_tokens": 10, "output_tokens": 5}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": usage,
    }
    yield _event("message_start", message={**message, "stop_reason": None, "stop_sequence": None})
    index = 0
    if turn.text:
        yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in turn.text:
            yield _event(
                "content_block_delta", index=0, delta={"type": "text_delta", "text": piece}
            )
        yield _event("content_block_stop", index=0)
        index = 1
    for name, arguments in turn.calls:
        block = {"type": "tool_use", "id": f"call_{index}", "name": name, "input": {}}
        yield _event("content_block_start", index=index, content_block=block)
        delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
        yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
        index += 1
    reason = turn.stop or ("tool_use" if turn.calls else "end_turn")
    yield _event(
        "message_delta",
        delta={"stop_reason": reason, "stop_sequence": None},
        usage={"output_tokens": 5},
    )
    yield _event("message_stop")


def openai(turn: Turn) -> Iterator[str]:
    """Chat completions' chunks."""
    yield _chunk({"role": "assistant", "content": ""})
    for piece in turn.text:
        yield _chunk({"content": piece})
    for index, (name, arguments) in enumerate(turn.calls):
        function = {"name": name, "arguments": ""}
        yield _chunk(
            {
                "tool_calls": [
                    {
                        "index": index,
                        "id": f"call_{index}",
                        "type": "function",
                        "function": function,
                    }
                ]
            }
        )
        yield _chunk(
            {"tool_calls": [{"index": index, "function": {"arguments": json.dumps(arguments)}}]}
        )
    yield _chunk({}, turn.stop or ("tool_calls" if turn.calls else "stop"))
    yield "data: [DONE]\n\n"


def _event(kind: str, **content: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **content})}\n\n"


def _chunk(delta: dict[str, Any], reason: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    chunk = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }
    return f"data: {json.dumps(chunk)}\n\n"
