"""The errors that a person can do something about.

ArgotError
├── InputError      a document, a question, a table or a file is wrong
├── ParamsError     a key or a value of params.yaml is wrong
├── ModelError      a model can't be found, loaded or trained
├── ReleaseError    a release doesn't match its manifest
└── ProviderError   an LLM provider refused or didn't answer

Each message is one line: which file, line or key is wrong, what was expected, and what to do. The
program ends with exit code 2 and that line; any other exception is a bug of ours, and ends with a
traceback and exit code 1.
"""


class ArgotError(Exception):
    """What all errors for people have in common: catch this one to catch them all."""


class InputError(ArgotError):
    """A document, a question, a table or a file is not what it should be."""


class ParamsError(ArgotError):
    """A key or a value of params.yaml is not what it should be."""


class ModelError(ArgotError):
    """A model can't be found, can't be loaded, or its training failed."""


class ReleaseError(ArgotError):
    """A release is incomplete or its parts don't belong together."""


class ProviderError(ArgotError):
    """An LLM provider refused, failed or ran past its limits."""
