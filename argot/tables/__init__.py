"""The tables: Parquet, one file a table, one module a schema, checked at every read and write."""
