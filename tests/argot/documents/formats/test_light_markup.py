"""reStructuredText, AsciiDoc and Org become Markdown."""

from __future__ import annotations

import pytest

from argot.documents.formats.reader import parse

RST = """\
======
 Fees
======

.. _anchor:
.. a comment
   of two lines

.. |who| replace:: the office
.. only:: html

   Billed by |who|.

Paid by :ref:`the carrier <carrier>`, see ``fees.csv`` or `the list <https://x.example>`_.

Late payment
------------
.. note:: Interest is *due*.

   From day ten.

.. code-block:: sh
   :linenos:

   # not a heading
   pay --all

Example::

    # neither
    pay

#. first
#. second

====  ====
Port  Fee
====  ====
RTM   45
SIN   60
      more
====  ====

+------+-----+
| Port | Fee |
+======+=====+
| RTM  | 45  |
+------+-----+

1. Not a heading

OPENING
~~~~~~~
.. image:: x.png
"""
ADOC = """\
= Fees
Ann Smith
:port: Rotterdam
:author: Ann

// a comment
[[anchor]]
== Late payment
NOTE: In {port}, see <<other,the rules>> and https://x.example[the list].

////
hidden
////

[source,sh]
----
# not a heading
pay --all
----

* one
** two
. first

[cols="1,1",options="header"]
|===
|Port |Fee
|RTM
|45
|===

=== Deep
image::x.png[]
Text.footnote:[Small print.]
"""
ORG = """\
#+TITLE: Fees
#+AUTHOR: Ann
# a comment
* TODO Late payment :money:
:PROPERTIES:
:ID: 7
:END:
See [[https://x.example][the list]] and =fees.csv=.
** Deep
#+BEGIN_SRC sh
# not a heading
pay --all
#+END_SRC
| Port | Fee |
|------+-----|
| RTM  | 45  |
"""


def test_restructured_text() -> None:
    assert [line for line in parse("a.rst", RST.encode()).text.split("\n") if line] == [
        "# Fees", "Billed by the office.", "Paid by the carrier, see `fees.csv` or the list.", "## Late payment", "Interest is *due*.",
        "From day ten.", "```", "# not a heading", "pay --all", "```", "Example:", "```", "# neither", "pay", "```",
        "1. first", "1. second", "| Port | Fee |", "| --- | --- |", "| RTM | 45 |", "| SIN | 60 more |",
        "| Port | Fee |", "| --- | --- |", "| RTM | 45 |", "1. Not a heading", "### OPENING",
    ]  # fmt: skip


def test_asciidoc() -> None:
    parsed = parse("a.adoc", ADOC.encode())
    assert [line for line in parsed.text.split("\n") if line] == [
        "# Fees", "Ann Smith", "## Late payment", "NOTE: In Rotterdam, see the rules and the list.", "```",
        "# not a heading", "pay --all", "```", "- one", "  - two", "1. first", "| Port | Fee |", "| --- | --- |",
        "| RTM | 45 |", "### Deep", "Text. [Small print.]",
    ]  # fmt: skip
    assert parsed.metadata == {"author": "Ann"}


def test_titles_of_asciidoc_with_a_line_below_them() -> None:
    lines = [
        "Depot",
        "=====",
        "",
        "[[hours]]",
        "Hours",
        "-----",
        "Open.",
        "",
        "At the gate:",
        "----",
    ]
    text = parse("a.adoc", "\n".join([*lines, "Call", "----"]).encode()).text
    assert text == "# Depot\n\n## Hours\nOpen.\n\nAt the gate:\n\n```\nCall\n```"


def test_org() -> None:
    parsed = parse("a.org", ORG.encode())
    assert [line for line in parsed.text.split("\n") if line] == [
        "# Late payment", "See the list and `fees.csv`.", "## Deep", "```", "# not a heading", "pay --all", "```",
        "| Port | Fee |", "| --- | --- |", "| RTM | 45 |",
    ]  # fmt: skip
    assert (parsed.title, parsed.metadata) == ("Fees", {"author": "Ann"})


@pytest.mark.parametrize("name", ["a.rst", "a.adoc", "a.org"])
def test_a_block_without_end_and_odd_lines_are_read(name: str) -> None:
    for text in (
        "----\ncranes",
        "|===\n|cranes",
        "#+BEGIN_SRC\ncranes",
        "====  ====\ncranes",
        "cranes::\n",
        "..\n cranes\ncranes",
    ):
        assert "cranes" in parse(name, text.encode()).text


def test_links_of_restructured_text_go_on_in_the_next_line() -> None:
    text = "See :ref:`the\nfees <fees>`, `the\nlist <https://x.example>`_ and :var:`<LANG>_X`.\n"
    assert parse("a.rst", text.encode()).text == "See the\nfees, the\nlist and <LANG>_X."
    stray = "A stray ` mark::\n\n    code `"
    assert parse("a.rst", stray.encode()).text.startswith("A stray ` mark:\n")


def test_blocks_within_blocks_and_line_ends_of_org() -> None:
    quote = "#+begin_quote\n{}\n#+end_quote"
    lines = [quote.format("Outer.\n" + quote.format("Inner.\\\\") + "\nAfter."), "End."]
    assert parse("a.org", "\n".join(lines).encode()).text == "Outer.\nInner.\nAfter.\nEnd."
    code = "#+begin_src org\n#+begin_src\n#+end_src\nEnd."
    assert parse("a.org", code.encode()).text == "```\n#+begin_src\n```\n\nEnd."


def test_definition_lists_of_asciidoc() -> None:
    lines = ["-q::", "--quiet::", "\tSay nothing.", "Port:: Where ships lie.", "See std::vector."]
    assert parse("a.adoc", "\n".join(lines).encode()).text == (
        "-q:\n--quiet:\n\tSay nothing.\nPort: Where ships lie.\nSee std::vector."
    )
