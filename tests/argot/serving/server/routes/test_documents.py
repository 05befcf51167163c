from __future__ import annotations

import pytest
from fastapi.testclient import TestClient


def test_a_document_is_read_with_its_passages(client: TestClient) -> None:
    reply = client.get("/documents/pumps/noise.md").json()
    assert (reply["document"], reply["title"]) == ("pumps/noise.md", "pumps/noise")
    assert reply["url"] == "/read?document=pumps%2Fnoise.md"
    assert reply["metadata"]["year"] == 2026
    assert [piece["id"] for piece in reply["pieces"]] == ["pumps/noise.md#0", "pumps/noise.md#1"]
    assert "Error E-17 means the rotor is stuck." in reply["text"]


def test_neighbours_come_on_demand(client: TestClient) -> None:
    asked = {"around": "pumps/noise.md#0", "count": 1}
    both = client.get("/documents/pumps/noise.md", params=asked).json()["pieces"]
    assert [piece["id"] for piece in both] == ["pumps/noise.md#0", "pumps/noise.md#1"]
    alone = client.get("/documents/pumps/noise.md", params={**asked, "count": 0}).json()["pieces"]
    assert [piece["id"] for piece in alone] == ["pumps/noise.md#0"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("missing.md", 404),
        ("../../etc/passwd", 404),
        ("%2e%2e/params.yaml", 404),
        ("pumps/noise.md?around=pay.md%230", 404),
        ("pumps/noise.md?around=pumps/noise.md%230&count=21", 422),
        ("", 404),
    ],
)
def test_what_is_no_document_is_refused(client: TestClient, path: str, status: int) -> None:
    reply = client.get(f"/documents/{path}")
    assert reply.status_code == status
    assert reply.json()["error"]["message"]


def test_the_view_of_a_document_holds_none_of_it(client: TestClient) -> None:
    reply = client.get("/read", params={"document": "pumps/noise.md"})
    assert reply.headers["content-type"].startswith("text/html")
    assert "rotor" not in reply.text
