"""Every count equals the exact oracle's, on random networks that are rich in exact ties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge import counted, expected_counts, hidden_widths, network, traced_counts
from oracle import analyse
from strategies import ACTIVATIONS, FAMILIES, Case, cases, oracle_layers

import pyexpr


def check_counts(case: Case) -> None:
    layers = oracle_layers(case)
    expected = expected_counts(analyse(layers, case.x0, case.x1), hidden_widths(layers))
    net = network(case)
    assert counted(net, case.x0, case.x1) == expected
    assert traced_counts(pyexpr.trace(net, case.x0, case.x1)) == expected


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
def test_counts_are_exact_for_every_family_of_weights(family: str, data: st.DataObject) -> None:
    check_counts(data.draw(cases(families=[family])))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@given(data=st.data())
def test_counts_are_exact_for_every_activation(activation: str, data: st.DataObject) -> None:
    check_counts(data.draw(cases(activations=[activation])))
