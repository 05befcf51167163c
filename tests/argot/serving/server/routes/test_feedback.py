from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from argot.feedback.journal import read_feedback
from argot.serving.server.routes.feedback import quoted
from argot.serving.server.server_settings import RequestLimits, ServerSettings
from tests.support.serving import opened

GIVEN = {
    "query": "the pump rattles",
    "passage": "pumps/noise.md#0",
    "verdict": "up",
    "comment": "yes\n\u2028!",
}


def test_a_thumb_is_on_the_disk_when_it_is_acknowledged(
    client: TestClient, settings: ServerSettings
) -> None:
    assert client.post("/feedback", json=GIVEN).json() == {"kept": True}
    [record], broken = read_feedback(settings.feedback)
    assert (record.kind, record.query, record.verdict) == ("thumb", "the pump rattles", "up")
    assert record.comment == GIVEN["comment"]
    assert record.document == "pumps/noise.md"
    assert record.quote.startswith("A rattling pump runs dry")
    assert broken == 0


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"passage": "nowhere#0"}, 404),
        ({"passage": "x" * 65}, 422),
        ({"verdict": "maybe"}, 422),
        ({"comment": "x" * 1001}, 422),
        ({"query": "x" * 2001}, 422),
        ({"quote": "what the sender would like it to say"}, 422),
    ],
)
def test_bad_feedback_is_refused(client: TestClient, changed: dict[str, str], status: int) -> None:
    assert client.post("/feedback", json={**GIVEN, **changed}).status_code == status


def test_full_files_refuse_feedback_and_let_people_search(settings: ServerSettings) -> None:
    with opened(replace(settings, limits=RequestLimits(feedback_bytes=800))) as client:
        assert client.post("/feedback", json=GIVEN).status_code == 200
        assert client.post("/feedback", json=GIVEN).status_code == 507
        assert client.post("/search", json={"query": "pump"}).status_code == 200
    kinds = [record.kind for record in read_feedback(settings.feedback)[0]]
    assert kinds == ["asked", "thumb"]


def test_searching_cannot_take_the_room_of_thumbs(settings: ServerSettings) -> None:
    with opened(replace(settings, limits=RequestLimits(feedback_bytes=4000))) as client:
        for _ in range(20):
            assert client.post("/search", json={"query": "pump " * 40}).status_code == 200
        assert 'kind="lost"' in client.get("/metrics").text
        assert client.post("/feedback", json=GIVEN).status_code == 200
    kinds = {record.kind for record in read_feedback(settings.feedback)[0]}
    assert kinds == {"asked", "thumb"}
    # What was kept before counts after a restart as well.
    with opened(replace(settings, limits=RequestLimits(feedback_bytes=4000))) as client:
        client.post("/search", json={"query": "pump " * 40})
        assert 'argot_feedback_total{kind="asked"}' not in client.get("/metrics").text


def test_a_thumb_in_the_middle_of_a_table_quotes_the_document() -> None:
    document = "| part | drawer |\n|---|---|\n| seal | K-12 |\n| rotor | K-13 |\n"
    start = document.index("| rotor")
    header = document[: document.index("| seal") - 1]
    row = {"text": f"{header}\n{document[start:-1]}", "start": start, "end": len(document) - 1}
    assert row["text"] not in document
    assert quoted(row) == "| rotor | K-13 |"
    assert quoted({"text": "as it is", "start": 5, "end": 13}) == "as it is"
