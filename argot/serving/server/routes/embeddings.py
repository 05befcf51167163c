"""POST /v1/embeddings and GET /v1/models: the release's model for clients of OpenAI's API.

OpenAI's API knows one kind of text, Argot knows two: a query and a passage may need different
prompts. `input_type` says which it is, as in the APIs of Cohere, Voyage and NVIDIA. A client that
cannot send it uses the model's name instead: `argot-query` or `argot-passage`. Without either, a
text is a query.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, HTTPException
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from argot.core.terminal import encodable
from argot.encoding.embedder import Role
from argot.errors import ModelError
from argot.serving.server.routes.search import Characters
from argot.serving.server.server_settings import RequestLimits
from argot.serving.server.state import ERRORS, ServerState

MODEL = "argot"
ROLES: dict[str, Role] = {
    "query": "query",
    "search_query": "query",
    "passage": "passage",
    "document": "passage",
    "search_document": "passage",
}
TOKENS = (
    "input: send texts, not token ids: they belong to another model's vocabulary "
    "(LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"
)


class EmbeddingsRequest(BaseModel):
    """OpenAI's request with `input_type`; other fields are ignored."""

    input: (
        Characters | Annotated[list[Characters] | list[int] | list[list[int]], Field(min_length=1)]
    )
    model: Characters = MODEL
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1)
    input_type: (
        Literal["query", "search_query", "passage", "document", "search_document"] | None
    ) = None


class Embedding(BaseModel):
    """One vector: a list of numbers, or base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens of all texts together."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsReply(BaseModel):
    """One vector for each text, in the order of the texts."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


def router(state: ServerState) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1", tags=["embeddings"], responses=ERRORS)

    @routes.post("/embeddings")
    def embeddings(asked: EmbeddingsRequest) -> EmbeddingsReply:
        """Encode texts by the release's model: vectors of length 1."""
        release = state.release
        texts = _texts(asked, state.settings.limits)
        if asked.dimensions not in (None, release.manifest.dimension):
            raise HTTPException(
                400, f"dimensions: vectors of this release have {release.manifest.dimension}"
            )
        role = _role(asked)
        try:
            vectors = release.vectors(texts, role)
            tokens = int(release.retriever.embedder.token_counts(texts, role).sum())
        except ModelError as error:
            raise HTTPException(503, f"the model cannot encode now: {error}") from None
        data = [
            Embedding(index=at, embedding=_encoded(row, asked.encoding_format))
            for at, row in enumerate(vectors)
        ]
        return EmbeddingsReply(
            data=data, model=asked.model, usage=Usage(prompt_tokens=tokens, total_tokens=tokens)
        )

    @routes.get("/models")
    def models() -> dict[str, Any]:
        """The names that this server accepts as `model`; all of them are the same model."""
        names = (MODEL, f"{MODEL}-query", f"{MODEL}-passage")
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": "argot"} for name in names
        ]
        return {"object": "list", "data": listed}

    return routes


def _texts(asked: EmbeddingsRequest, limits: RequestLimits) -> list[str]:
    given = [asked.input] if isinstance(asked.input, str) else asked.input
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) < len(given):
        raise HTTPException(400, TOKENS)
    if len(texts) > limits.inputs:
        raise HTTPException(422, f"input: at most {limits.inputs} texts")
    if max(map(len, texts)) > limits.input_characters:
        raise HTTPException(422, f"input: at most {limits.input_characters} characters a text")
    if not all(texts):
        raise HTTPException(400, "input: an empty text has no vector")
    if any(encodable(text) != text for text in texts):
        raise HTTPException(
            422, "input: a text holds half a pair of surrogates (\\ud800 to \\udfff)"
        )
    return texts


def _role(asked: EmbeddingsRequest) -> Role:
    """The role that `input_type` names, or else the end of the model's name."""
    return ROLES.get(asked.input_type or asked.model.rpartition("-")[2], "query")


def _encoded(vector: NDArray[np.float32], encoding: str) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    numbers: list[float] = vector.tolist()
    return numbers
