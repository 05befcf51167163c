from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openai
import pytest
from fastapi.testclient import TestClient

from argot.encoding.embedder import Embedder
from argot.serving.server.app import create_app
from argot.serving.server.server_settings import ServerSettings
from tools.tiny.server import listening

TEXTS = [
    "what does error E-17 mean",
    "seal",
    "Wages are paid on the last working day of the month. " * 20,
    "über",
] * 40


@pytest.fixture(scope="module")
def embedder(made: Path) -> Embedder:
    return Embedder.load(made / "models/release/embedder", "cpu")


@pytest.fixture
def openai_client(settings: ServerSettings) -> Iterator[openai.OpenAI]:
    with listening(create_app(settings)) as address:
        yield openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0)


def vectors(reply: openai.types.CreateEmbeddingResponse) -> np.ndarray:
    return np.array([one.embedding for one in reply.data], dtype=np.float32)


def test_openai_client_gets_the_librarys_vectors_to_the_last_bit(
    openai_client: openai.OpenAI, embedder: Embedder
) -> None:
    queries, passages = embedder.encode_queries(TEXTS), embedder.encode_passages(TEXTS)
    assert not np.array_equal(queries, passages)
    create = openai_client.embeddings.create  # asks for base64 unless told otherwise
    assert np.array_equal(vectors(create(model="argot", input=TEXTS)), queries)
    assert np.array_equal(
        vectors(create(model="argot", input=TEXTS, encoding_format="float")), queries
    )
    assert np.array_equal(vectors(create(model="argot-passage", input=TEXTS)), passages)
    told = create(model="argot", input=TEXTS, extra_body={"input_type": "passage"})
    assert np.array_equal(vectors(told), passages)
    assert told.usage.total_tokens == embedder.token_counts(TEXTS, "passage").sum()
    assert np.array_equal(vectors(create(model="argot", input="seal"))[0], queries[1])
    assert "argot-passage" in [model.id for model in openai_client.models.list()]


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({"input": [[1, 2, 3]]}, 400, "check_embedding_ctx_length=False"),
        ({"input": [1, 2, 3]}, 400, "texts, not token ids"),
        ({"input": []}, 422, "input"),
        ({"input": [""]}, 400, "empty text"),
        ({"input": "pump", "dimensions": 7}, 400, "have 32"),
        ({"input": "x" * 40_001}, 422, "40000 characters"),
        ({"input": ["x"] * 2049}, 422, "2048 texts"),
        ({"input": "\ud800 pump"}, 422, "input"),
        ({"input": ["pump", "\udfff"]}, 422, "input"),
        ({"input": "pump", "model": "\ud800"}, 422, "model"),
    ],
)
def test_what_cannot_be_encoded_is_told(
    client: TestClient, asked: dict[str, object], status: int, told: str
) -> None:
    # ASCII, so that lone surrogates can be sent: httpx cannot encode them.
    content = json.dumps(asked)
    headers = {"Content-Type": "application/json"}
    reply = client.post("/v1/embeddings", content=content, headers=headers)
    assert reply.status_code == status
    assert told in reply.json()["error"]["message"]


@pytest.mark.parametrize("given", ['"pump \\ud800"', '["pump", "\\udfff"]'])
def test_half_a_character_is_told(client: TestClient, given: str) -> None:
    reply = client.post(
        "/v1/embeddings",
        content=f'{{"input": {given}}}',
        headers={"content-type": "application/json"},
    )
    assert reply.status_code == 422
