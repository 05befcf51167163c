"""A provider on this machine that speaks both wire formats and misbehaves on request.

python -m tools.tiny.provider FOLDER [JSON plan]      prints its port; writes what it was asked to
FOLDER
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import sys
import threading
import time
from collections import Counter
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "sk-test-0123456789abcdef"


class Provider:
    """The server's plan of misbehaviour, what it was asked, and what it was paid for."""

    def __init__(self, **plan: Any) -> None:
        self.plan = plan
        self.lock = threading.RLock()
        self.calls: list[dict[str, Any]] = []
        self.paid: Counter[str] = Counter()
        self.busy = self.most_busy = self.hits = 0
        self.batches: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Any]] = {
            name: list(steps) for name, steps in plan.get("script", {}).items()
        }

    def note(self, body: dict[str, Any]) -> None:
        """Remember a call."""
        with self.lock:
            self.calls.append(body)

    def pay(self, body: dict[str, Any]) -> None:
        """A reply was made: from here on it is paid, whether it arrives or not."""
        with self.lock:
            self.paid[fingerprint(body)] += 1

    def fault(self, body: dict[str, Any]) -> Any:
        """What goes wrong with this call, by a script or by shares that its hash decides."""
        with self.lock:
            if steps := self.faults.get("calls"):
                return steps.pop(0)
            for text, steps in self.faults.items():
                if steps and text in json.dumps(body):
                    return steps.pop(0)
        tries = sum(fingerprint(call) == fingerprint(body) for call in self.calls)
        point = (
            int(hashlib.sha256(f"{fingerprint(body)}{tries}".encode()).hexdigest()[:8], 16) / 2**32
        )
        for name, share in self.plan.get("shares", {}).items():
            if point < share:
                return name
            point -= share
        return None


def fingerprint(body: dict[str, Any]) -> str:
    """The same for the same request, live or in a batch."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:24]


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """The model's answer: queries or grades, which depend on the request alone."""
    user = next(message["content"] for message in body["messages"] if message["role"] == "user")
    seed = int(fingerprint(body), 16)
    if user.startswith("Query:") or "\nQueries:\n" in user:
        count = (
            user.count("<passage>")
            if user.startswith("Query:")
            else len(re.findall(r"(?m)^\d+\. ", user.split("\nQueries:\n")[1]))
        )
        written = [int(found) for found in re.findall(r"grade(\d+)", user)]
        given: list[int | None] = [*written] or [None] * count
        grades = [
            seed // 11**n % 11 if grade is None else grade for n, grade in enumerate(given, start=1)
        ]
        return {
            "grades": [{"number": n, "grade": grade} for n, grade in enumerate(grades, start=1)]
        }
    words = re.findall(r"[a-z]{4,}", user.split("</passage>")[0].lower())
    queries = []
    for number, kind in enumerate(
        kind
        for count, kind in re.findall(r"(\d+) (\w+)(?=[,.])", user.split("Write")[-1])
        for _ in range(int(count))
    ):
        picked = (
            [words[(seed // 7 ** (number + place)) % len(words)] for place in range(4)]
            if words
            else ["none"]
        )
        queries.append(
            {"type": kind, "query": f"{kind} about {' '.join(picked)} {seed % 997}{number}"}
        )
    return {"queries": queries}


class Handler(BaseHTTPRequestHandler):
    """Both providers' addresses."""

    protocol_version = "HTTP/1.1"
    provider: Provider

    def log_message(self, format: str, *arguments: Any) -> None:
        """Stay quiet."""

    def do_POST(self) -> None:
        """Answer calls, take files and batches."""
        self.provider.hits += 1
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = urlsplit(self.path).path
        if not self._knows_key():
            return self._send(
                401,
                {
                    "error": {
                        "message": f"Incorrect API key provided: {self._key()}",
                        "type": "invalid_request_error",
                        "code": "invalid_api_key",
                    }
                },
            )
        if path.endswith("/files"):
            return self._upload(raw)
        body = json.loads(raw)
        if path.endswith("/batches"):
            return self._create(body)
        if path.endswith(("/chat/completions", "/messages", "/embeddings")):
            return self._call(body)
        self._send(404, {"error": {"message": "no such address"}})

    def do_GET(self) -> None:
        """Tell of batches and their results."""
        self.provider.hits += 1
        parts = urlsplit(self.path)
        steps = [step for step in parts.path.split("/") if step]
        with self.provider.lock:
            if steps[-1] == "batches":
                return self._list(parse_qs(parts.query))
            if steps[-1] == "content":
                return self._raw(200, self.provider.files[steps[-2]], "application/octet-stream")
            if steps[-1] == "results":
                return self._raw(200, self.provider.files[steps[-2]], "application/x-jsonl")
            self._send(200, self._status(self.provider.batches[steps[-1]]))

    def _call(self, body: dict[str, Any]) -> None:
        provider = self.provider
        with provider.lock:
            provider.busy += 1
            provider.most_busy = max(provider.most_busy, provider.busy)
            fault = provider.fault(body)
            provider.note(body)
        try:
            time.sleep(provider.plan.get("seconds", 0.0))
            self._reply(body, fault)
        finally:
            with provider.lock:
                provider.busy -= 1

    def _reply(self, body: dict[str, Any], fault: Any) -> None:
        if isinstance(fault, int):
            headers = (
                {"retry-after": str(self.provider.plan.get("retry_after", 0.05))}
                if fault == 429
                else {}
            )
            return self._send(
                fault,
                {
                    "type": "error",
                    "error": {"type": "overloaded_error", "message": f"status {fault}"},
                },
                headers,
            )
        if fault == "policy":
            return self._send(
                400,
                {
                    "error": {
                        "message": "flagged",
                        "code": "invalid_prompt",
                        "type": "invalid_request_error",
                    }
                },
            )
        if fault == "hang":
            time.sleep(self.provider.plan.get("hang", 1.5))
        if fault == "gateway":
            self.provider.pay(body)  # the model goes on, although nobody waits for it
            return self._send(504, {"error": {"message": "gateway timeout"}})
        if fault == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        self.provider.pay(body)
        content = json.dumps(completion(body, fault)).encode()
        if fault == "broken json":
            content = content[: len(content) // 2]
        if fault == "drip":
            return self._drip(content)
        return self._raw(200, content, "application/json")

    def _drip(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            for byte in content:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.05)

    def _upload(self, raw: bytes) -> None:
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        form = BytesParser().parsebytes(head + raw)
        parts = [part for part in form.walk() if part.get_filename()]
        content = bytes(parts[0].get_payload(decode=True))
        with self.provider.lock:
            id = f"file-{len(self.provider.files)}"
            self.provider.files[id] = content
        self._send(
            200,
            {
                "id": id,
                "object": "file",
                "bytes": len(content),
                "created_at": 1,
                "filename": "f",
                "purpose": "batch",
                "status": "processed",
            },
        )

    def _create(self, body: dict[str, Any]) -> None:
        provider = self.provider
        if provider.faults.get("create"):
            status = provider.faults["create"].pop(0)
            return self._send(status, {"error": {"message": "busy", "type": "overloaded_error"}})
        with provider.lock:
            openai = "input_file_id" in body
            lines = (
                [json.loads(line) for line in provider.files[body["input_file_id"]].splitlines()]
                if openai
                else body["requests"]
            )
            id = f"{'batch' if openai else 'msgbatch'}_{len(provider.batches)}"
            provider.batches[id] = {
                "id": id,
                "openai": openai,
                "metadata": body.get("metadata"),
                "lines": lines,
                "at": time.time(),
                "done": False,
            }
            if provider.plan.get("lose_created_batch"):
                provider.plan["lose_created_batch"] = False
                provider.plan["lost"].set() if "lost" in provider.plan else None
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status = self._status(provider.batches[id])
        time.sleep(provider.plan.get("create_seconds", 0.0))
        self._send(200, status)

    def _list(self, query: dict[str, list[str]]) -> None:
        openai = not self.headers.get("anthropic-version")
        found = [
            self._status(batch)
            for batch in reversed(list(self.provider.batches.values()))
            if batch["openai"] == openai
        ]
        self._send(
            200,
            {"object": "list", "data": found, "has_more": False, "first_id": None, "last_id": None},
        )

    def _status(self, batch: dict[str, Any]) -> dict[str, Any]:
        if not batch["done"] and time.time() - batch["at"] >= self.provider.plan.get(
            "batch_seconds", 0.1
        ):
            self._work(batch)
        done, count, failed = batch["done"], len(batch["lines"]), batch.get("failed", 0)
        if batch["openai"]:
            return {
                "id": batch["id"],
                "object": "batch",
                "endpoint": "/v1/chat/completions",
                "completion_window": "24h",
                "input_file_id": "file-0",
                "created_at": int(batch["at"]),
                "metadata": batch["metadata"],
                "status": self.provider.plan.get("batch_end", "completed")
                if done
                else "in_progress",
                "output_file_id": f"{batch['id']}-out" if done else None,
                "error_file_id": f"{batch['id']}-err" if done and batch["failed"] else None,
                "request_counts": {
                    "total": count,
                    "completed": count - failed if done else 0,
                    "failed": failed,
                },
            }
        failures = {"errored": failed, "canceled": 0, "expired": 0}
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(batch["at"]))
        url = f"http://{self.headers['host']}/v1/messages/batches/{batch['id']}/results"
        return {
            "id": batch["id"],
            "type": "message_batch",
            "processing_status": "ended" if done else "in_progress",
            "created_at": stamp,
            "expires_at": stamp,
            "ended_at": stamp if done else None,
            "results_url": url if done else None,
            "request_counts": {
                "processing": 0 if done else count,
                "succeeded": count - failed if done else 0,
                **failures,
            },
        }

    def _work(self, batch: dict[str, Any]) -> None:
        out, err = [], []
        for line in batch["lines"]:
            body = line["body" if batch["openai"] else "params"]
            fault = self.provider.fault(body)
            self.provider.note(body)
            if isinstance(fault, int):
                failed = (
                    {"response": {"status_code": fault, "body": {}}, "error": None}
                    if batch["openai"]
                    else {
                        "result": {
                            "type": "errored",
                            "error": {
                                "type": "error",
                                "error": {"type": "api_error", "message": "x"},
                                "request_id": None,
                            },
                        }
                    }
                )
                err.append({"custom_id": line["custom_id"], **failed})
                continue
            self.provider.pay(body)
            reply = completion(body, fault)
            good = (
                {"response": {"status_code": 200, "body": reply}, "error": None}
                if batch["openai"]
                else {"result": {"type": "succeeded", "message": reply}}
            )
            out.append({"custom_id": line["custom_id"], **good})
        batch["done"], batch["failed"] = True, len(err)
        joined = {"-out": out, "-err": err} if batch["openai"] else {"": out + err}
        for ending, lines in joined.items():
            self.provider.files[batch["id"] + ending] = (
                b"\n".join(json.dumps(line).encode() for line in reversed(lines)) + b"\n"
            )

    def _knows_key(self) -> bool:
        return KEY in self._key()

    def _key(self) -> str:
        return self.headers.get("x-api-key") or self.headers.get("authorization") or ""

    def _send(
        self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        self._raw(status, json.dumps(content).encode(), "application/json", headers)

    def _raw(
        self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in {
                "content-type": kind,
                "content-length": str(len(content)),
                **(headers or {}),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)


def embedding(text: str) -> list[float]:
    """A text's vector: the sum of its words', each of which the word alone decides."""
    words = re.findall(r"\w+", text.lower()) or ["none"]
    digests = [hashlib.shake_256(word.encode()).digest(32) for word in words]
    return [sum(digest[at] - 127.5 for digest in digests) / 128 for at in range(32)]


def embeddings(body: dict[str, Any], fault: Any) -> dict[str, Any]:
    """A response of `/embeddings`, in no order; where it is malformed, one vector is missing."""
    vectors = [
        {"object": "embedding", "index": at, "embedding": embedding(text)}
        for at, text in enumerate(body["input"])
    ]
    tokens = sum(len(text) for text in body["input"]) // 4
    return {
        "object": "list",
        "data": vectors[::-1][fault not in (None, "uncounted", "hang", "drip") :],
        "model": body["model"],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def completion(body: dict[str, Any], fault: Any) -> dict[str, Any]:
    """A response in the form of the provider that was asked."""
    made = _completion(body, fault)
    if fault == "uncounted":
        del made["usage"]
    return made


def _completion(body: dict[str, Any], fault: Any) -> dict[str, Any]:
    if "input" in body:
        return embeddings(body, fault)
    content = (
        ""
        if fault == "empty"
        else "not {json"
        if fault == "malformed"
        else json.dumps(answer(body))
    )
    tokens_in, tokens_out = len(json.dumps(body)) // 4, max(1, len(content) // 4)
    if "system" in body:
        stop = "refusal" if fault == "refused" else "max_tokens" if fault == "long" else "end_turn"
        blocks = [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": content},
        ]
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": blocks,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {"input_tokens": tokens_in, "output_tokens": tokens_out},
        }
    message = {
        "role": "assistant",
        "content": None if fault == "refused" else content,
        "refusal": "no" if fault == "refused" else None,
    }
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": "length" if fault == "long" else "stop",
        "logprobs": None,
    }
    usage = {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [choice],
        "usage": usage,
    }


class Server(ThreadingHTTPServer):
    """Takes many calls at once."""

    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is nothing to tell."""


@contextlib.contextmanager
def serving(**plan: Any) -> Any:
    """A provider on a free port, as `.provider` and `.url`, until the block ends."""
    provider = Provider(**plan)
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"provider": provider}))
    server.provider = provider  # type: ignore[attr-defined]
    server.url = f"http://127.0.0.1:{server.server_address[1]}"  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    with serving(**json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}")) as running:
        print(running.url, flush=True)
        threading.Event().wait()
