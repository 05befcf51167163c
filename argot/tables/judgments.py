"""The table of judgments: one row a query and system, with ranks and metrics."""

from pathlib import Path

import pyarrow as pa

PATH = Path("data/judgments.parquet")
OF_PASSAGES = ("ndcg@10", "mrr@10", "map", "recall@1", "recall@5", "recall@10", "recall@100")
# Where documents are ranked, each by its best passage.
OF_DOCUMENTS = tuple(f"document_{metric}" for metric in OF_PASSAGES)
METRICS = OF_PASSAGES + OF_DOCUMENTS
SCHEMA = pa.schema(
    [
        pa.field("set", pa.string(), nullable=False),  # questions or pairs
        pa.field("split", pa.string(), nullable=False),  # dev or test
        pa.field("id", pa.string(), nullable=False),  # of the question or pair
        pa.field("query", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # question's kind, or pair's source
        pa.field("cluster", pa.string(), nullable=False),  # the first document's group
        # Does a passage that answers it stand in a document that was trained on?
        pa.field("seen", pa.bool_(), nullable=False),
        # Such as bm25, base, base+bm25, tuned (argot.evaluation.names).
        pa.field("system", pa.string(), nullable=False),
        pa.field("relevant", pa.list_(pa.string()), nullable=False),
        pa.field("top", pa.list_(pa.string()), nullable=False),  # the ten best chunks, in order
        *(pa.field(metric, pa.float64(), nullable=False) for metric in METRICS),
    ]
)
