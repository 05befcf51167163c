"""Passages for a query: rankers, their fusion, the release that holds them, the retriever."""
