"""Who asks a server of a release with access rights, and attempts to be somebody else."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi.testclient import TestClient

from argot.errors import InputError, ReleaseError
from argot.serving.server import identities as module
from argot.serving.server.app import create_app, open_state
from argot.serving.server.identities import Identities, read_identities
from argot.serving.server.server_settings import ServerSettings
from tests.support.chat_provider import Script, Turn, serving
from tests.support.rights import ALL_WORDS, GROUPS, SEEN
from tests.support.serving import opened

ISSUER, AUDIENCE = "https://login.example.com/", "argot"
LEGAL, MECHANIC, NOBODY = "key-of-legal", "key-of-a-mechanic", "kéy-of-nobody"
SECRET = generate_private_key(65537, 2048)
OTHER = generate_private_key(65537, 2048)


def jwk(secret: RSAPrivateKey, kid: str) -> dict[str, Any]:
    public: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(secret.public_key()))
    return {**public, "kid": kid, "alg": "RS256", "use": "sig"}


def entry(key: str, *groups: str) -> dict[str, Any]:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {"name": f"of {groups}", "sha256": digest, "groups": list(groups)}


GOT = ("/about", "/documents/returns.md")  # by GET; the others by POST
CONTENT: dict[str, Any] = {
    "keys": [entry(LEGAL, "legal"), entry(MECHANIC, "mechanics"), entry(NOBODY)],
    "tokens": {"issuer": ISSUER, "audience": AUDIENCE, "jwks": "jwks.json"},
}


def write_keys(folder: Path, content: Any) -> Path:
    (folder / "jwks.json").write_text(json.dumps({"keys": [jwk(SECRET, "one")]}))
    path = folder / "keys.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return write_keys(tmp_path, CONTENT)


@pytest.fixture
def identities(keys: Path) -> Identities:
    return read_identities(keys)


@pytest.fixture
def guarded(restricted: Path, settings: ServerSettings, keys: Path) -> ServerSettings:
    return replace(settings, release=restricted, keys=keys)


@pytest.fixture
def client(guarded: ServerSettings) -> Iterator[TestClient]:
    with opened(guarded) as client:
        yield client


def bearer(credential: str) -> dict[str, bytes]:
    return {"Authorization": f"Bearer {credential}".encode()}


def token(
    secret: Any = SECRET, algorithm: str = "RS256", kid: str | None = "one", **changes: Any
) -> str:
    claims = {
        **{"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 86_400, "sub": "anna"},
        **{"groups": ["legal"], **changes},
    }
    given = {name: value for name, value in claims.items() if value is not None}
    headers = {"kid": kid} if kid is not None else {}
    return jwt.encode(given, secret, algorithm, headers)


def found(client: TestClient, credential: str, **asked: Any) -> set[str]:
    body = {"query": ALL_WORDS, "k": 100, "mode": "dense", **asked}
    reply = client.post("/search", json=body, headers=bearer(credential))
    assert reply.status_code == 200, reply.text
    return {passage["document"] for passage in reply.json()["passages"]}


def test_a_key_finds_what_its_groups_may_see(client: TestClient) -> None:
    for mode in ("dense", "hybrid", "bm25"):
        assert found(client, LEGAL, mode=mode) == SEEN["legal"]
        assert found(client, MECHANIC, mode=mode) == SEEN["mechanics"]
        assert found(client, NOBODY, mode=mode) == SEEN["nobody"]
    asked = {"query": ALL_WORDS, "mode": "dense", "k": 100}
    reply = client.post("/search", json=asked, headers={"X-API-Key": LEGAL})
    assert {one["document"] for one in reply.json()["passages"]} == SEEN["legal"]


def test_a_token_finds_what_its_groups_may_see(client: TestClient) -> None:
    assert found(client, token()) == SEEN["legal"]
    assert found(client, token(groups=["mechanics", "x"])) == SEEN["mechanics"]
    assert found(client, token(groups=None)) == SEEN["nobody"]
    assert found(client, token(groups=["Legal", "all", "*"])) == SEEN["nobody"]


def test_searches_of_different_people_in_one_batch_stay_apart(client: TestClient) -> None:
    replies: dict[int, set[str]] = {}

    def ask(number: int) -> None:
        replies[number] = found(client, [LEGAL, MECHANIC, NOBODY][number % 3])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [SEEN["legal"], SEEN["mechanics"], SEEN["nobody"]]
    assert replies == {number: expected[number % 3] for number in range(24)}


@pytest.mark.parametrize(
    "path",
    [
        "/search",
        "/search/batch",
        "/answer",
        "/feedback",
        "/about",
        "/v1/embeddings",
        "/documents/returns.md",
    ],
)
@pytest.mark.parametrize("credential", ["", "KEY-OF-LEGAL", "legal", "x.y.z"])
def test_nobody_unknown_is_answered(client: TestClient, path: str, credential: str) -> None:
    headers = bearer(credential) if credential else {}
    reply = client.request("GET" if path in GOT else "POST", path, json={}, headers=headers)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == "Bearer"


def test_the_hash_of_a_key_is_no_key(client: TestClient) -> None:
    digest = hashlib.sha256(LEGAL.encode()).hexdigest()
    assert client.get("/about", headers=bearer(digest)).status_code == 401


def test_groups_of_the_request_itself_count_for_nothing(client: TestClient) -> None:
    asked = {"query": ALL_WORDS, "k": 100, "mode": "dense"}
    for extra in ("groups", "argot.groups", "user", "rights"):
        body = {**asked, extra: ["mechanics"]}
        assert client.post("/search", json=body, headers=bearer(LEGAL)).status_code == 422
    reply = client.post(
        "/search?groups=mechanics&key=" + MECHANIC,
        json=asked,
        headers={**bearer(LEGAL), "X-Groups": b"mechanics", "argot.groups": b"mechanics"},
    )
    assert {one["document"] for one in reply.json()["passages"]} == SEEN["legal"]


def test_no_filter_widens_and_counts_are_of_what_is_seen(client: TestClient) -> None:
    for filter in ({"groups": "mechanics"}, {"groups": "everyone"}, {"tags": "pump"}):
        assert found(client, LEGAL, filter=filter) <= SEEN["legal"]
    about = client.get("/about", headers=bearer(LEGAL)).json()
    assert (about["passages"], about["documents"]) == (4, 2)
    assert b"argot_passages" not in client.get("/metrics", headers=bearer(LEGAL)).content


@pytest.mark.parametrize(("credential", "who"), [(LEGAL, "legal"), (MECHANIC, "mechanics")])
def test_only_its_groups_read_a_document(client: TestClient, credential: str, who: str) -> None:
    for name in GROUPS:
        expected = 200 if name in SEEN[who] else 404
        for asked in (name, f"{name}?around={name}%230", f"{name}%230"):
            reply = client.get(f"/documents/{asked}", headers=bearer(credential))
            assert reply.status_code == expected, asked
    hidden, missing = (
        client.get(f"/documents/{name}", headers=bearer(credential)).json()
        for name in ("pay.md", "no/such.md")
    )
    assert hidden == missing


def test_all_ways_to_search_hide_the_same(client: TestClient) -> None:
    asked = {"k": 100, "mode": "dense"}
    by_address = client.get("/search", params={"q": ALL_WORDS, **asked}, headers=bearer(LEGAL))
    batch = {"queries": [ALL_WORDS, "wages"], **asked}
    replies = client.post("/search/batch", json=batch, headers=bearer(LEGAL)).json()["replies"]
    for reply in (by_address.json(), *replies):
        assert {one["document"] for one in reply["passages"]} == SEEN["legal"]


def test_feedback_on_a_hidden_passage_is_as_on_none(client: TestClient) -> None:
    def give(passage: str) -> tuple[int, str]:
        given = {"query": "pump", "passage": passage, "verdict": "up"}
        reply = client.post("/feedback", json=given, headers=bearer(LEGAL))
        return reply.status_code, reply.text

    assert give("pumps/noise.md#0") == give("pay.md#0") == give("no/such.md#0")
    assert give("pumps/noise.md#0")[0] == 404
    assert give("pumps/seals.md#0")[0] == 200


def test_an_answer_is_made_of_what_is_seen(guarded: ServerSettings) -> None:
    again = Turn(calls=[("search", {"query": "wages overtime rotor E-17"})])
    words = ['Stuck. [1 "means the rotor is stuck"] Paid. [2 "paid on the last working day"]']
    with serving(Script(again, Turn(text=words))) as script:
        asked = replace(guarded, base_url=f"{script.url}/v1", provider="openai", model="m")
        with opened(asked) as client:
            body = {"question": ALL_WORDS, "k": 50}
            reply = client.post("/answer", json=body, headers=bearer(LEGAL))
        sent = json.dumps(script.asked)
    answer = json.loads(reply.text.strip().rpartition("data: ")[2])
    assert {one["document"] for one in answer["passages"]} == SEEN["legal"]
    assert not answer["supported"]
    for hidden in ("the rotor is stuck", "last working day", "pumps/noise.md", "pay.md"):
        assert hidden not in sent
        assert hidden not in json.dumps(answer["passages"])


def test_the_workbench_is_not_served_to_groups(guarded: ServerSettings) -> None:
    with opened(replace(guarded, workbench=True)) as client:
        for path in ("/compare", "/label/pool", "/label"):
            reply = client.post(path, json={"query": "pump"}, headers=bearer(MECHANIC))
            assert reply.status_code == 404
        assert not client.get("/about", headers=bearer(MECHANIC)).json()["workbench"]


def test_vectors_of_ones_own_texts_need_no_group(client: TestClient) -> None:
    reply = client.post("/v1/embeddings", json={"input": "wages"}, headers=bearer(NOBODY))
    assert reply.status_code == 200


def test_rights_and_keys_come_together_or_not_at_all(
    guarded: ServerSettings, release: Path
) -> None:
    with pytest.raises(ReleaseError, match=r"has access rights: serve it with --keys"):
        create_app(replace(guarded, keys=None))
    with pytest.raises(ReleaseError, match=r"no access rights.*index\.groups"):
        create_app(replace(guarded, release=release))


def test_a_new_release_without_rights_does_not_replace_one_that_has_them(
    guarded: ServerSettings, release: Path, tmp_path: Path
) -> None:
    served = Path(shutil.copytree(guarded.release, tmp_path / "served"))
    state = open_state(replace(guarded, release=served))
    before = state.release
    shutil.rmtree(served)
    shutil.copytree(release, served)
    assert not state.watcher.look()
    assert state.release is before
    assert "no access rights" in state.watcher.problem
    state.watcher.close()
    state.journal.close()


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    parts = [json.dumps(part).encode() for part in (header, claims)]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, signature])


CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "exp": 1 << 33, "groups": ["legal"]}
PUBLIC = SECRET.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed_by_public_key() -> str:
    """HS256 with the issuer's public key as the secret, which everybody knows."""
    import hmac

    head = unsigned({"alg": "HS256", "kid": "one", "typ": "JWT"}, CLAIMS).rstrip(".")
    mac = hmac.new(PUBLIC, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    "forged",
    [
        token(exp=int(time.time()) - 60),
        token(exp=None),
        token(nbf=int(time.time()) + 3_600),
        token(aud="other"),
        token(aud=None),
        token(aud=["other", "Argot"]),
        token(iss="https://login.example.com"),
        token(iss="https://evil.example.com/"),
        token(iss=None),
        token(OTHER),
        token(kid="two"),
        token(kid=None),
        token(algorithm="RS512"),
        token(algorithm="PS256"),
        token("a secret of thirty-two characters", "HS256"),
        token(groups="legal"),
        token(groups={"legal": True}),
        token(groups=["legal", 7]),
        token()[:-4] + "AAAA",
        token() + "A" * 20_000,
        unsigned({"alg": "none", "kid": "one"}, CLAIMS),
        unsigned({"alg": "None", "kid": "one"}, CLAIMS),
        unsigned({"kid": "one"}, CLAIMS),
        unsigned({"alg": "RS256", "kid": ["one"]}, CLAIMS, "AAAA"),
        unsigned({"alg": "RS256", "kid": "one", "jwk": jwk(OTHER, "one")}, CLAIMS, "AAAA"),
        unsigned({"alg": "RS256", "kid": "one"}, {**CLAIMS, "exp": "soon"}, "AAAA"),
        base64.urlsafe_b64encode(b"[" * 9_000).decode() + ".e30.AAAA",
        signed_by_public_key(),
        "..",
        "é.è.à",
    ],
    ids=count(),  # each process signs its own, and workers must agree on the names of tests
)
def test_no_token_but_the_issuers_own_is_trusted(identities: Identities, forged: str) -> None:
    assert identities.groups(token()) == {"legal"}
    assert identities.groups(forged) is None


def test_a_key_of_another_algorithm_in_the_set_signs_nothing(tmp_path: Path) -> None:
    path = write_keys(tmp_path, CONTENT)
    shared = base64.urlsafe_b64encode(b"s" * 32).decode().rstrip("=")
    secret = {"kty": "oct", "kid": "one", "k": shared, "alg": "HS256"}
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [secret]}))
    assert read_identities(path).groups(token("s" * 32, "HS256")) is None


class Issued(NamedTuple):
    """What was fetched of an issuer, and who is known by it."""

    fetched: list[str]
    known: Identities


@contextmanager
def issuer(folder: Path, reply: bytes, length: int | None = None) -> Iterator[Issued]:
    """An issuer that gives this reply for its keys, and a server's view of who asks by it.

    Where `length` is more than the reply's, the connection is reset in the middle.
    """
    fetched: list[str] = []

    class Issuer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fetched.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(length or len(reply)))
            self.end_headers()
            self.wfile.write(reply)
            if length:
                reset = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                self.connection.close()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    jwks = f"http://127.0.0.1:{server.server_port}/certs"
    tokens = {**CONTENT["tokens"], "jwks": jwks, "claim": "cognito:groups"}
    try:
        yield Issued(fetched, read_identities(write_keys(folder, {"tokens": tokens})))
    finally:
        server.shutdown()
        server.server_close()


def test_the_issuers_keys_are_fetched_and_followed(tmp_path: Path) -> None:
    named = {"cognito:groups": ["mechanics"]}
    keys = json.dumps({"keys": [jwk(SECRET, "one")]}).encode()
    with issuer(tmp_path, keys) as (fetched, known):
        assert known.groups(token(**named)) == {"mechanics"}
        # Made-up names of keys don't make the server fetch again and again.
        assert [known.groups(token(OTHER, kid=str(n))) for n in range(9)] == [None] * 9
        assert len(fetched) == 1
    assert known.groups(token(**named)) == {"mechanics"}


@pytest.mark.parametrize(
    "reply", [b"", b"<html>", b"[]", b'{"keys":null}', b'{"keys":[1]}', b"[" * 100_000, b"\xff"]
)
@pytest.mark.parametrize("length", [None, 200_000])
def test_an_issuer_that_fails_is_asked_once_and_lets_nobody_in(
    tmp_path: Path, reply: bytes, length: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    with issuer(tmp_path, reply, length) as (fetched, known):
        assert [known.groups(token(kid=str(n))) for n in range(9)] == [None] * 9
    assert len(fetched) == 1
    assert caplog.text.count("no keys from http://127.0.0.1") == 1


def test_an_issuer_that_failed_is_asked_again_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)
    with issuer(tmp_path, b"") as (fetched, known):
        assert [known.groups(token()), known.groups(token())] == [None, None]
    assert len(fetched) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "found neither"),
        ([], "keys.yaml"),
        ({"keys": [{**entry("a", "b"), "sha256": "abc"}]}, "keys.0.sha256"),
        ({"keys": [{**entry("a"), "sha256": entry("a")["sha256"] + "\n"}]}, "keys.0.sha256"),
        ({"keys": [{"name": "a", "sha256": entry("a")["sha256"]}]}, "keys.0.groups"),
        ({"keys": [{**entry("a"), "groups": "legal"}]}, "keys.0.groups"),
        ({"keys": [{**entry("a"), "groups": [7]}]}, "keys.0.groups.0"),
        ({"keys": [{**entry("a"), "grups": []}]}, "keys.0.grups"),
        ({"keys": [entry("a", "x"), entry("a", "y")]}, "the same sha256"),
        ({"tokens": {**CONTENT["tokens"], "audience": ""}}, "tokens.audience"),
        ({"tokens": {"issuer": ISSUER, "jwks": "jwks.json"}}, "tokens.audience"),
        ({"tokens": {**CONTENT["tokens"], "jwks": "http://example.com/k"}}, "must be https"),
        ({"tokens": {**CONTENT["tokens"], "jwks": "nowhere.json"}}, "no keys that can be read"),
    ],
)
def test_a_wrong_file_of_keys_is_refused_in_one_line(
    tmp_path: Path, content: Any, said: str
) -> None:
    with pytest.raises(InputError, match=said) as error:
        read_identities(write_keys(tmp_path, content))
    assert "\n" not in str(error.value)


def test_what_is_no_file_of_keys_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_identities(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("keys: [")
    with pytest.raises(InputError, match="can't be read"):
        read_identities(tmp_path / "bad.yaml")


def test_every_group_of_the_tiny_release_is_tried() -> None:
    assert set().union(*SEEN.values()) < set(GROUPS)
