from __future__ import annotations

from random import Random

import pytest

from argot.queries.rephrasing.english import of_statement, of_topic

WRITTEN = {"create": 5, "set": 3, "shard": 2, "running": 1, "run": 4}


@pytest.mark.parametrize(
    ("topic", "question"),
    [
        ("Creating a DB instance", "How do I create a DB instance?"),
        ("Setting your password", "How do I set my password?"),
        ("Running jobs at night", "How do I run jobs at night?"),
        ("Exchange your licence", "How do I exchange my licence?"),
        ("How to transfer a title", "How do I transfer a title?"),
        ("Detention charges", "What are detention charges?"),
        ("VGM tolerance", "What is VGM tolerance?"),
        ("If you move abroad", "if i move abroad"),
    ],
)
def test_a_topic_becomes_a_question(topic: str, question: str) -> None:
    assert next(of_topic(topic, WRITTEN)) == question


@pytest.mark.parametrize(
    ("statement", "question"),
    [
        ("Detention is a charge for boxes outside the terminal.", "What is detention?"),
        ("The virus causes fever in pigs.", "What does the virus cause?"),
        ("Boxes can be returned at night, if agreed.", "Can boxes be returned at night?"),
        (
            "Sharps are collected on Monday by the firm in",
            "Are sharps collected on Monday by the firm?",
        ),
        (
            "You must report it within 10 working days of moving",
            "how many working days must report within moving",
        ),
    ],
)
def test_a_statement_becomes_a_question(statement: str, question: str) -> None:
    assert next(of_statement(statement, Random(1))) == question


def test_a_condition_is_asked_for_in_the_first_person() -> None:
    found = next(of_statement("If you lose your card, call us at once.", Random(2)))
    assert "I lose my card" in found


@pytest.mark.parametrize(
    "statement", ["It is cold.", "They are gone by now.", "Must be dry.", "Running late again"]
)
def test_what_no_rule_is_sure_of_gives_nothing(statement: str) -> None:
    assert list(of_statement(statement, Random(1))) == []
