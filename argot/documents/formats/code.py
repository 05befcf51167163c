"""Source code becomes sections, one per definition, whose headings are the signatures.

The grammars are tree-sitter's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import dedent
from typing import Any

from argot.documents.formats import Parsed
from argot.documents.formats.text import clean, decode, fenced

LANGUAGES = {
    "python": ".py .pyi",
    "javascript": ".js .mjs .cjs .jsx",
    "typescript": ".ts .mts .cts",
    "tsx": ".tsx",
    "java": ".java",
    "go": ".go",
    "rust": ".rs",
    "c_sharp": ".cs",
    "cpp": ".c .h .cc .cpp .cxx .hpp .hh",
    "ruby": ".rb",
    "php": ".php",
}
# The kinds of nodes that define something with a name, in any of these grammars; and those that
# only hold others.
DEFINES = {
    "function_definition", "function_declaration", "function_item", "function_signature_item",
    "method_definition", "method_declaration", "constructor_declaration",
    "generator_function_declaration", "class_definition", "class_declaration",
    "abstract_class_declaration", "class_specifier", "struct_specifier", "struct_item",
    "struct_declaration", "record_declaration", "enum_declaration", "enum_item", "enum_specifier",
    "union_specifier", "interface_declaration", "trait_item", "trait_declaration", "impl_item",
    "type_alias_declaration", "type_declaration", "macro_definition", "method", "singleton_method",
    "class", "module",
}  # fmt: skip
# Nodes that put something around one definition, and nodes that only hold others.
WRAPS = {"decorated_definition", "export_statement", "template_declaration"}
HOLDS = WRAPS | {
    "declaration_list", "class_body", "block", "body_statement", "namespace_declaration",
    "namespace_definition", "mod_item", "interface_body", "field_declaration_list",
    "internal_module", "statement_block", "linkage_specification",
    "file_scoped_namespace_declaration", "preproc_ifdef", "preproc_if", "enum_body",
}  # fmt: skip
ASSIGNED = {"lexical_declaration", "variable_declaration"}
FUNCTIONS = {"arrow_function", "function_expression", "function"}
ABOVE = {
    "comment",
    "line_comment",
    "block_comment",
    "attribute_item",
    "attribute_list",
    "decorator",
}
# What these define inside themselves gets sections; what a function defines stays inside it.
DEEP = ("class", "abstract_class", "struct", "impl", "trait", "interface", "record", "module")
LONGEST = 200


def reader_of(language: str) -> Callable[[bytes], Parsed]:
    """The reader of a language's files."""
    return lambda data: read_code(data, language)


def read_code(data: bytes, language: str) -> Parsed:
    """A section per definition, below the sections of the definitions around it.

    Broken code is read as far as the grammar knows it.
    """
    source = clean(decode(data)).encode()
    return Parsed("code", "\n\n".join(_sections(_tree(source, language), source, 0, 1)))


def read_config(data: bytes) -> Parsed:
    """A file that a program reads: one block of code."""
    return Parsed("code", fenced(clean(decode(data)).strip("\n")))


def _tree(source: bytes, language: str) -> Any:
    from tree_sitter import Language, Parser

    return Parser(Language(_grammars()[language]())).parse(source).root_node


def _grammars() -> dict[str, Callable[[], object]]:
    import tree_sitter_c_sharp
    import tree_sitter_cpp
    import tree_sitter_go
    import tree_sitter_java
    import tree_sitter_javascript
    import tree_sitter_php
    import tree_sitter_python
    import tree_sitter_ruby
    import tree_sitter_rust
    import tree_sitter_typescript

    return {
        "python": tree_sitter_python.language,
        "javascript": tree_sitter_javascript.language,
        "typescript": tree_sitter_typescript.language_typescript,
        "tsx": tree_sitter_typescript.language_tsx,
        "java": tree_sitter_java.language,
        "go": tree_sitter_go.language,
        "rust": tree_sitter_rust.language,
        "c_sharp": tree_sitter_c_sharp.language,
        "cpp": tree_sitter_cpp.language,
        "ruby": tree_sitter_ruby.language,
        "php": tree_sitter_php.language_php,
    }


def _sections(node: Any, source: bytes, start: int, level: int) -> Iterator[str]:
    """First what is in no definition (imports, constants, fields), then each definition."""
    rest, inner = [], []
    end = start
    for whole, definition in _definitions(node):
        begin = _begin(whole, end, source)
        rest.append(source[end:begin])
        inner.append((begin, whole, definition))
        end = whole.end_byte
    rest.append(source[end : node.end_byte])
    if block := _block(rest):
        yield block
    for begin, whole, definition in inner:
        yield f"{'#' * min(level, 6)} `{_signature(definition, source)}`"
        if definition.type.startswith(DEEP):
            yield from _sections(definition, source, begin, level + 1)
        elif block := _block([source[begin : whole.end_byte]]):
            yield block


def _definitions(node: Any) -> Iterator[tuple[Any, Any]]:
    """Pairs of a definition with what is around it (a decorator, `export`), and the definition."""
    for child in node.named_children:
        if child.type in DEFINES or _is_function(child):
            yield child, child
        elif child.type in HOLDS:
            found = list(_definitions(child))
            yield from [(child, found[0][1])] if child.type in WRAPS and found else found


def _is_function(node: Any) -> bool:
    if node.type not in ASSIGNED:
        return False
    values = [child.child_by_field_name("value") for child in node.named_children]
    return any(value is not None and value.type in FUNCTIONS for value in values)


def _begin(node: Any, earliest: int, source: bytes) -> int:
    """Where a definition's lines begin, with the comments right above it."""
    above = node.prev_sibling
    while above is not None and above.type in ABOVE and above.start_byte >= earliest:
        if above.end_point.row + 1 < node.start_point.row:
            break
        node, above = above, above.prev_sibling
    line = source.rfind(b"\n", 0, node.start_byte) + 1
    alone = line >= earliest and not source[line : node.start_byte].strip()
    return line if alone else int(node.start_byte)


def _signature(node: Any, source: bytes) -> str:
    """Its words up to its body or a comment, on one line; without either, its first line."""
    inner = [*_bodies(node), *(child for child in node.children if "comment" in child.type)]
    end = min((part.start_byte for part in inner), default=node.end_byte)
    text = source[node.start_byte : end].decode(errors="replace")
    words = " ".join((text if inner else text.split("\n")[0]).replace("`", "'").split())
    return words.removesuffix("=>").rstrip(" {:;")[:LONGEST]


def _bodies(node: Any) -> Iterator[Any]:
    for inner in [node, *(child.child_by_field_name("value") for child in node.named_children)]:
        if inner is not None and (body := inner.child_by_field_name("body")) is not None:
            yield body


def _block(parts: list[bytes]) -> str:
    """Code in one block; nothing where there are only brackets left."""
    texts = [dedent(part.decode(errors="replace").strip("\n")).rstrip() for part in parts]
    code = "\n".join(text for text in texts if text.strip())
    return fenced(code) if any(map(str.isalnum, code)) else ""
