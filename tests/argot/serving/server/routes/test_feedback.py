from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from argot.feedback.journal import read_feedback
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
    with opened(replace(settings, limits=RequestLimits(feedback_bytes=400))) as client:
        assert client.post("/feedback", json=GIVEN).status_code == 200
        assert client.post("/feedback", json=GIVEN).status_code == 507
        assert client.post("/search", json={"query": "pump"}).status_code == 200
    assert len(read_feedback(settings.feedback)[0]) == 1
