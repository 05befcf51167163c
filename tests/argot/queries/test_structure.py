from __future__ import annotations

from random import Random

import pytest

from argot.queries import neighbours, sentences, structure
from argot.queries.draft import Context
from argot.queries.prose import sentences as split
from argot.queries.vocabulary import Vocabulary
from argot.ranking.bm25 import Bm25, LexicalSettings
from argot.tables.chunks import ChunkRow


def corpus(*texts: str, documents: str = "", language: str = "en") -> Context:
    """One chunk a text; `documents` names the document of each by a letter, else they share one."""
    names = documents or "a" * len(texts)
    chunks = [
        ChunkRow(str(place), name, name, place, "T", "T > H", text, 0, language)
        for place, (text, name) in enumerate(zip(texts, names, strict=True))
    ]
    settings = LexicalSettings(language="en", k1=1.2, b=0.75)
    bm25 = Bm25.build([chunk.id for chunk in chunks], texts, settings, "en")
    places = {chunk.id: place for place, chunk in enumerate(chunks)}
    return Context(
        chunks,
        Vocabulary(texts, "en"),
        bm25,
        places,
        documents=list(names),
        groups=list(names),
        document_count=len(set(names)),
        leaves={"h": 1},
    )


@pytest.mark.parametrize(
    "text",
    [
        "Q: Who pays the late fee?\nA: The consignee pays it.",
        "**Problem:** Who pays the late fee?\n\n**Resolution:** The consignee pays it.",
        "**Who pays the late fee?**\nThe consignee named on the order pays it.",
    ],
)
def test_a_labelled_question_stands_for_the_passage_with_its_answer(text: str) -> None:
    made = corpus(text)
    (found,) = structure.dialogue(made.chunks[0], made, Random(1))
    assert (found.query, found.chunk) == ("Who pays the late fee?", "0")
    assert text[found.start : found.end].startswith("Who pays")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "F: Wer zahlt die Gebühr?\nA: Der Empfänger zahlt sie."),
        ("de", "Störung: Wer zahlt die Gebühr?\nAbhilfe: Der Empfänger zahlt sie."),
        ("fr", "Q : Qui paie les frais ?\nR : Le destinataire les paie."),
        ("es", "P: ¿Quién paga los gastos?\nR: Los paga el destinatario."),
    ],
)
def test_labels_are_known_in_the_passages_language(language: str, text: str) -> None:
    made = corpus(text, language=language)
    (found,) = structure.dialogue(made.chunks[0], made, Random(1))
    assert found.query == text.splitlines()[0].split(":", 1)[1].strip()
    other = corpus(text)
    assert language == "de" or not list(structure.dialogue(other.chunks[0], other, Random(1)))


def test_a_problem_resolved_in_the_next_passage_stands_for_that_one() -> None:
    made = corpus("Problem: Reefer alarm during the night", "Resolution: Reset the controller.")
    (found,) = structure.dialogue(made.chunks[0], made, Random(1))
    assert (found.chunk, found.document) == ("1", "a")


def test_the_nearest_passage_of_another_document_is_a_partner() -> None:
    words = "the demurrage clock starts on the day after discharge of the vessel"
    made = corpus(
        words.capitalize() + ".",
        "Demurrage: the clock starts after vessel discharge.",
        "Rain.",
        documents="abc",
    )
    (found,) = neighbours.partner(0.3)(made.chunks[0], made, Random(1))
    assert (found.chunk, found.document) == ("1", "a")
    assert list(neighbours.partner(0.99)(made.chunks[0], made, Random(1))) == []


def test_the_end_of_the_passage_before_leads_to_the_next() -> None:
    made = corpus(
        "First. Then the red valve must be closed.",
        "Closed, the red valve holds.",
        "Unrelated words.",
    )
    (found,) = neighbours.adjacent(made.chunks[1], made, Random(1))
    assert (found.query, found.chunk) == ("Then the red valve must be closed.", "1")
    assert list(neighbours.adjacent(made.chunks[2], made, Random(1))) == []


def test_keywords_are_the_weighty_words_as_written() -> None:
    made = corpus("The flange K7 of the pump holds.", "The pump runs.", "The pump stops.")
    found = list(sentences.keywords(made.chunks[0], made, Random(1)))
    assert found
    for query in found:
        assert set(query.query.split()) <= {"H", "flange", "K7", "pump", "holds"}


def test_sentences_lose_their_marks_and_tables_are_no_prose() -> None:
    text = "- See **the** [tariff](t.md#1) for all prices.\n\n| a | b |\n|---|---|\n| one two three | five six |\n"
    assert [found.text for found in split(text, "en")] == ["See the tariff for all prices."]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("de", ["Das gilt z. B. gem. Art. 5 ab dem 3. Mai.", "Die Nr. 7 fehlt hier im Lager."]),
        ("fr", ["Voir l'art. 5, cf. Mme Aubry et M. Dupont.", "« Oui, elle part » dit le chef."]),
        ("es", ["Véase el núm. 5 y aprox. 30 casos.", "¿Cuándo se paga la cuota?"]),
    ],
)
def test_abbreviations_end_no_sentence(language: str, expected: list[str]) -> None:
    text = " ".join(expected)
    found = list(split(text, language))
    assert [sentence.text for sentence in found] == expected
    assert [text[sentence.start : sentence.end].strip() for sentence in found] == expected
