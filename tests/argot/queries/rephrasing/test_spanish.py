from __future__ import annotations

from random import Random

import pytest

from argot.queries.rephrasing.spanish import of_statement, of_topic


@pytest.mark.parametrize(
    ("topic", "question"),
    [
        ("Cancelar un pedido", "¿Cómo puedo cancelar un pedido?"),
        ("Darse de baja", "¿Cómo puedo darme de baja?"),
        ("Alquiler de vehículos", "Alquiler de vehículos, ¿qué es?"),
        ("Devolución del importe", "¿Cómo funciona la devolución del importe?"),
        ("Garantía", "¿Qué significa garantía?"),
        ("¿Cómo leo la factura", "cómo leo la factura"),
    ],
)
def test_a_topic_becomes_a_question(topic: str, question: str) -> None:
    assert next(of_topic(topic, {})) == question


@pytest.mark.parametrize(
    ("statement", "question"),
    [
        ("La fianza es una cantidad que se devuelve.", "¿Qué es la fianza?"),
        ("Se entiende por siniestro el daño cubierto.", "¿Qué se entiende por siniestro?"),
        ("La garantía no cubre el desgaste.", "¿Qué cubre la garantía?"),
        ("El envío cuesta 9,80 euros.", "¿Cuánto cuesta el envío?"),
        ("El cliente no puede cancelar, salvo aviso.", "¿Puede el cliente cancelar?"),
        ("Los pedidos tienen que salir hoy.", "¿Los pedidos tienen que salir hoy?"),
        ("Debe presentar su documento.", "¿Debo presentar mi documento?"),
        ("No puede darse de baja sin avisar.", "¿Puedo darme de baja sin avisar?"),
        ("Hay que entregar las llaves.", "¿Hay que entregar las llaves?"),
        ("Si se pierde la tarjeta, llame.", "¿Qué pasa si se pierde la tarjeta?"),
        ("Un técnico llega en 3 horas como máximo.", "cuántas horas técnico llega como máximo"),
    ],
)
def test_a_statement_becomes_a_question(statement: str, question: str) -> None:
    drawn = [next(of_statement(statement, Random(seed))) for seed in range(8)]
    assert question in drawn


@pytest.mark.parametrize("statement", ["Es gratuito.", "Esto es una regla.", "Se puede ver."])
def test_what_no_rule_is_sure_of_gives_nothing(statement: str) -> None:
    assert list(of_statement(statement, Random(1))) == []
