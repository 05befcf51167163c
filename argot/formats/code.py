"""Source code"""
from argot.formats import Parsed
from argot.formats.text import clean, decode, fenced
def read_code(data: bytes) -> Parsed:
    return Parsed("code", fenced(clean(decode(data)).strip("\n")))
