"""POST /v1/embeddings and GET /v1/models: the tuned model for clients of OpenAI's API.

Such clients know one kind of text, Argot knows two: a query and a passage may need different prompts. Which one is
meant is told by `input_type` (as at Cohere, Voyage and NVIDIA), or by the model's name where a client can't send more
fields: `argot-query`, `argot-passage`. Without either a text is a query.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, HTTPException
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from argot.encoding.embedder import Role
from argot.errors import ModelError
from argot.serving.server.service import ERRORS, Service

MODEL = "argot"
ROLES: dict[str, Role] = {
    "query": "query",
    "search_query": "query",
    "passage": "passage",
    "document": "passage",
    "search_document": "passage",
}
TOKENS = (
    "input: send texts, not token ids, which are of another model's vocabulary "
    "(LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"
)


class EmbeddingsRequest(BaseModel):
    """As at OpenAI, and `input_type`; fields that aren't known here are ignored."""

    input: str | Annotated[list[str] | list[int] | list[list[int]], Field(min_length=1)]
    model: str = MODEL
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1)
    input_type: (
        Literal["query", "search_query", "passage", "document", "search_document"] | None
    ) = None


class Embedding(BaseModel):
    """One vector: numbers, or the base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens of all texts."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsReply(BaseModel):
    """One vector a text, in their order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1", tags=["embeddings"], responses=ERRORS)

    @routes.post("/embeddings")
    def embeddings(asked: EmbeddingsRequest) -> EmbeddingsReply:
        """Encode texts by the release's model: vectors of length 1."""
        served = service.served
        texts = _texts(
            asked, service.settings.limits.inputs, service.settings.limits.input_characters
        )
        if asked.dimensions not in (None, served.manifest.dimension):
            raise HTTPException(
                400, f"dimensions: vectors of this release have {served.manifest.dimension}"
            )
        role = _role(asked)
        try:
            vectors = served.vectors(texts, role)
            tokens = int(served.retriever.embedder.token_counts(texts, role).sum())
        except ModelError as error:
            raise HTTPException(503, f"the model can't encode now: {error}") from None
        data = [
            Embedding(index=at, embedding=_encoded(row, asked.encoding_format))
            for at, row in enumerate(vectors)
        ]
        return EmbeddingsReply(
            data=data, model=asked.model, usage=Usage(prompt_tokens=tokens, total_tokens=tokens)
        )

    @routes.get("/models")
    def models() -> dict[str, Any]:
        """The names that this server's model goes by."""
        names = (MODEL, f"{MODEL}-query", f"{MODEL}-passage")
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": "argot"} for name in names
        ]
        return {"object": "list", "data": listed}

    return routes


def _texts(asked: EmbeddingsRequest, most: int, longest: int) -> list[str]:
    given = [asked.input] if isinstance(asked.input, str) else asked.input
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) < len(given):
        raise HTTPException(400, TOKENS)
    if len(texts) > most:
        raise HTTPException(422, f"input: at most {most} texts")
    if any(len(text) > longest for text in texts):
        raise HTTPException(422, f"input: at most {longest} characters a text")
    if not all(texts):
        raise HTTPException(400, "input: an empty text has no vector")
    return texts


def _role(asked: EmbeddingsRequest) -> Role:
    return ROLES.get(asked.input_type or asked.model.rpartition("-")[2], "query")


def _encoded(vector: NDArray[np.float32], encoding: str) -> list[float] | str:
    return (
        base64.b64encode(vector.astype("<f4").tobytes()).decode()
        if encoding == "base64"
        else vector.tolist()
    )
