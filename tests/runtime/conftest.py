"""Servers of tiny models."""

import pytest
from opened import NAMES, model_of
from tiny_models import tiny_tokenizer

from hf_duplex.runtime.server import Server


@pytest.fixture(params=NAMES)
def any_server(request):
    with Server(model_of(request.param), tiny_tokenizer()) as server:
        yield server


@pytest.fixture
def server():
    with Server(model_of("validity"), tiny_tokenizer()) as server:
        yield server
