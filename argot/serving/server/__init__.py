"""A release over HTTP: search, answers, embeddings, feedback, and a page to use them by."""
