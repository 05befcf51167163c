from __future__ import annotations

from pathlib import Path

import pytest

from argot import Retriever
from argot.errors import InputError
from tests.support.rights import SEEN


@pytest.fixture(scope="module")
def retriever(made: Path) -> Retriever:
    return Retriever.load(made / "models" / "release", device="cpu")


@pytest.mark.parametrize("mode", ["bm25", "tokens"])
def test_langchain_gets_the_same_passages(retriever: Retriever, mode: str) -> None:
    pytest.importorskip("langchain_core")
    from argot.serving.adapters.langchain import LangChainRetriever

    adapter = LangChainRetriever(retriever=retriever, k=3, mode=mode, filter={"tags": "pump"})
    expected = retriever.search("pump seal", 3, mode, {"tags": "pump"})
    found = adapter.invoke("pump seal")
    assert [(one.id, one.page_content) for one in found] == [(one.id, one.text) for one in expected]
    assert [one.metadata["score"] for one in found] == [one.score for one in expected]
    assert "text" not in found[0].metadata
    assert found[0].metadata["source"] == expected[0].document


@pytest.mark.parametrize("mode", ["hybrid", "tokens"])
def test_llama_index_gets_the_same_passages(retriever: Retriever, mode: str) -> None:
    pytest.importorskip("llama_index.core")
    from argot.serving.adapters.llama_index import LlamaIndexRetriever

    expected = retriever.search("pump seal", 3, mode)
    found = LlamaIndexRetriever(retriever, k=3, mode=mode).retrieve("pump seal")
    assert [(one.node.node_id, one.text, one.score) for one in found] == [
        (e.id, e.text, e.score) for e in expected
    ]
    assert found[0].metadata["document"] == expected[0].document
    sent = found[0].node.get_content("llm")
    assert f"document: {expected[0].document}" in sent and "score" not in sent


def test_both_search_with_the_groups_of_who_asks(restricted: Path) -> None:
    pytest.importorskip("langchain_core")
    pytest.importorskip("llama_index.core")
    from argot.serving.adapters.langchain import LangChainRetriever
    from argot.serving.adapters.llama_index import LlamaIndexRetriever

    release = Retriever.load(restricted, device="cpu")
    for group, documents in SEEN.items():
        chain = LangChainRetriever(retriever=release, k=100, mode="dense", groups={group})
        found = {one.metadata["document"] for one in chain.invoke("pump")}
        index = LlamaIndexRetriever(release, k=100, mode="tokens", groups={group})
        assert found == {one.metadata["document"] for one in index.retrieve("pump")} == documents
    with pytest.raises(InputError, match="access rights"):
        LangChainRetriever(retriever=release).invoke("pump")
    with pytest.raises(InputError, match="access rights"):
        LlamaIndexRetriever(release).retrieve("pump")
