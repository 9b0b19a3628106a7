"""What goes with every result."""

import sys

import pytest

from hf_duplex.record import command_line


@pytest.mark.parametrize(
    ("program", "typed"),
    [
        ("/usr/bin/hf-duplex", "hf-duplex bench speed"),
        ("/any/where/hf_duplex/cli/__main__.py", "hf-duplex bench speed"),
        ("/any/where/hf_duplex/hub/__main__.py", "python -m hf_duplex.hub bench speed"),
    ],
)
def test_a_command_is_recorded_as_it_is_typed_without_a_path_of_the_machine(monkeypatch, program, typed):
    monkeypatch.setattr(sys, "argv", [program, "bench", "speed"])
    assert command_line() == typed
