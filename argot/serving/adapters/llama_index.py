"""A release as a LlamaIndex retriever: pip install argot-retrieval[llama-index]."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from argot.search.retriever import Retriever
from argot.search.rights import Groups


class LlamaIndexRetriever(BaseRetriever):
    """`LlamaIndexRetriever(Retriever.load("models/release"), k=5).retrieve("a question")`."""

    def __init__(
        self,
        retriever: Retriever,
        k: int = 10,
        mode: str | None = None,
        filter: dict[str, Any] | None = None,
        groups: Groups | None = None,
    ) -> None:
        """`groups` are those of who asks, for a release with access rights."""
        self._argot, self._k = retriever, k
        self._how: dict[str, Any] = {"mode": mode, "filter": filter, "groups": groups}
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._argot.search(query_bundle.query_str, self._k, **self._how)
        return [NodeWithScore(node=_node(asdict(one)), score=one.score) for one in found]


def _node(row: dict[str, Any]) -> TextNode:
    """A passage as a node; a language model is shown where it is from, no ranks and scores."""
    hidden = sorted(row.keys() - {"document", "title", "heading", "page_name", "url"})
    return TextNode(
        id_=row["id"], text=row.pop("text"), metadata=row, excluded_llm_metadata_keys=hidden
    )
