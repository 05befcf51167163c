"""The routes, one file for each: requests and replies as pydantic models, and a `router`."""
