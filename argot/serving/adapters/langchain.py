"""A release as a LangChain retriever: pip install argot-retrieval[langchain]."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from argot.search.retriever import Retriever


class LangChainRetriever(BaseRetriever):
    """`LangChainRetriever(retriever=Retriever.load("models/release")).invoke("a question")`."""

    retriever: Any
    k: int = 10
    mode: str | None = None
    filter: dict[str, Any] | None = None
    groups: Any = None  # of who asks, for a release with access rights

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        retriever: Retriever = self.retriever
        found = retriever.search(query, self.k, self.mode, self.filter, self.groups)
        # LangChain's chains cite by `source`.
        rows = ({**asdict(one), "source": one.url or one.document} for one in found)
        return [Document(id=row["id"], page_content=row.pop("text"), metadata=row) for row in rows]
