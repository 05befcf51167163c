"""Silver pairs: queries made from the structure of documents, without an LLM; one module a kind of source."""
