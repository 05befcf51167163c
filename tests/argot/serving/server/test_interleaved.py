"""Two releases behind one server: mixed results, written down by the server, and never harmful."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from argot.core.files import write_json
from argot.errors import ModelError, ReleaseError
from argot.feedback.interleaving import preferences
from argot.feedback.journal import read_feedback
from argot.search.release import MANIFEST, sealed
from argot.search.retriever import Retriever
from argot.serving.server.app import create_app
from argot.serving.server.served_release import ServedRelease
from argot.serving.server.server_settings import ServerSettings
from tests.argot.serving.cli.test_search import argot
from tests.support import rights
from tests.support.serving import opened

QUERY = "the pump rattles"
ASKED = {"query": QUERY, "k": 4}


@pytest.fixture
def both(settings: ServerSettings, folder: Path) -> ServerSettings:
    """A server of the tiny release and, on trial, of one that searches by its vectors alone."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["verdict"] |= {
        "system": "tuned",
        "fusion": {"method": "convex", "weights": {"dense": 1.0}},
        "calibration": None,
    }
    write_json(folder / MANIFEST, sealed(manifest))
    return replace(settings, candidate=folder)


def search(client: TestClient, **changed: Any) -> dict[str, Any]:
    reply: dict[str, Any] = client.post("/search", json={**ASKED, **changed}).json()
    return reply


def counted(client: TestClient, candidate: str) -> bool:
    line = f'argot_searches_interleaved_total{{candidate="{candidate}"}} '
    return line in client.get("/metrics").text


def test_the_server_writes_the_teams_down_and_feedback_counts_for_them(
    both: ServerSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert both.candidate
    alone = [
        [found.id for found in Retriever.load(path).search(QUERY, 4)]
        for path in (both.release, both.candidate)
    ]
    assert alone[0] != alone[1]
    with opened(both) as client:
        reply = search(client)
        assert search(client)["passages"] == reply["passages"]  # the same coins
        ids = [found["id"] for found in reply["passages"]]
        assert set(ids) <= {*alone[0], *alone[1]} and len(set(ids)) == 4
        assert [found["rank"] for found in reply["passages"]] == [1, 2, 3, 4]
        assert "teams" not in reply and "candidate" not in reply
        assert counted(client, "mixed in")

    # The journal is whole when the server has ended.
    [asked, _] = read_feedback(both.feedback)[0]
    assert asked.search == reply["search"] and asked.candidate != asked.release
    theirs = [id for id, team in asked.teams.items() if team == "candidate"]
    assert theirs and set(theirs) <= set(alone[1])
    with opened(both) as client:
        feedback = {"query": "something else", "passage": theirs[0], "search": reply["search"]}
        assert client.post("/feedback", json={**feedback, "verdict": "opened"}).status_code == 200
        assert client.post("/feedback", json={**feedback, "verdict": "up"}).status_code == 200
        nowhere = {"query": QUERY, "passage": ids[0], "verdict": "opened"}
        assert client.post("/feedback", json=nowhere).status_code == 422
        # Another mode than that of the release is a question about that mode.
        assert search(client, mode="dense")["search"] == ""
    [found] = preferences(read_feedback(both.feedback)[0])
    assert (found.wins, found.losses, found.shown) == (1, 0, 1)
    assert argot(monkeypatch, "interleaving", "--feedback", str(both.feedback)) == 0
    shown = capsys.readouterr().out
    assert "no preference is proven" in shown and "won 1 of 1 decided questions" in shown


@pytest.mark.parametrize("error", [ModelError("no model"), RuntimeError("a bug"), OSError("disk")])
def test_a_candidate_that_fails_harms_no_answer_and_is_counted(
    both: ServerSettings, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    true = ServedRelease.find

    def find(self: ServedRelease, *given: Any) -> Any:
        if self.manifest.verdict.mode == "dense":
            raise error
        return true(self, *given)

    expected = [found.id for found in Retriever.load(both.release).search(QUERY, 4)]
    with opened(both) as client:
        monkeypatch.setattr(ServedRelease, "find", find)
        reply = search(client)
        assert [found["id"] for found in reply["passages"]] == expected
        assert (reply["search"], reply["notice"]) == ("", "")
        assert counted(client, "left out") and not counted(client, "mixed in")
    [record], _ = read_feedback(both.feedback)
    assert not record.teams


def test_the_same_release_is_no_candidate(settings: ServerSettings) -> None:
    with opened(replace(settings, candidate=settings.release)) as client:
        assert search(client)["search"] == ""


def test_what_either_release_hides_is_shown_to_nobody(
    restricted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On trial is a release in which everybody may see what people are paid, and nobody the returns.
    other = {**rights.GROUPS, "pay.md": ["everyone"], "returns.md": []}
    monkeypatch.setattr(rights, "GROUPS", other)
    trial = rights.make_release(tmp_path / "other")
    served, candidate = (Retriever.load(path) for path in (restricted, trial))
    both = frozenset({"mechanics"})

    def documents(retriever: Retriever) -> set[str]:
        return {found.document for found in retriever.search(rights.ALL_WORDS, 20, groups=both)}

    assert "pay.md" in documents(candidate) and "returns.md" in documents(served)
    keys = tmp_path / "keys.yaml"
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"  # of "secret"
    keys.write_text(f"keys: [{{name: m, sha256: {digest}, groups: [mechanics]}}]")
    settings = ServerSettings(
        **{"release": restricted, "feedback": tmp_path / "feedback", "keys": keys},
        **{"candidate": trial, "device": "cpu", "hosts": ("testserver",)},
    )
    with opened(settings) as client:
        client.headers["X-API-Key"] = "secret"
        reply = search(client, query=rights.ALL_WORDS, k=20)
        assert reply["search"]
        shown = {found["document"] for found in reply["passages"]}
        assert shown == {"pumps/seals.md", "pumps/noise.md"}


def test_a_candidate_without_rights_is_refused_beside_a_release_with_them(
    restricted: Path, release: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text(f"keys: [{{name: m, sha256: {'a' * 64}, groups: [mechanics]}}]")
    settings = ServerSettings(restricted, tmp_path, candidate=release, keys=keys, device="cpu")
    with pytest.raises(ReleaseError, match="has no access rights"):
        create_app(settings)
