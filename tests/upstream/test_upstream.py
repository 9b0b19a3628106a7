"""transformers' own model tests over our classes: `make test-upstream`."""

import unittest

import pytest
import torch
from transformers_tests.test_modeling_common import ModelTesterMixin, ids_tensor

from hf_duplex import (
    DualStreamConfig,
    DualStreamForCausalLM,
    DualStreamModel,
    DuplexBaselineConfig,
    DuplexBaselineForCausalLM,
    DuplexBaselineModel,
    WorkspaceConfig,
    WorkspaceForCausalLM,
    WorkspaceModel,
)


# Tests that do not apply, and why.
EXPLAINED = {
    "test_generation_tester_mixin_inheritance": "its GenerationTesterMixin is not in the source distribution; "
    "tests/modeling/test_generate.py covers generation",
}


class Tester:
    """What ModelTesterMixin asks about a model."""

    batch_size, seq_length, is_training = 3, 7, True
    vocab_size, hidden_size, num_hidden_layers, num_attention_heads = 64, 32, 2, 4

    def __init__(self, config_class, **extra):
        self.config_class, self.extra = config_class, extra

    def get_config(self):
        return self.config_class(
            vocab_size=self.vocab_size,
            hidden_size=self.hidden_size,
            intermediate_size=48,
            num_hidden_layers=self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            num_key_value_heads=2,
            max_message_length=6,
            **self.extra,
        )

    def prepare_config_and_inputs_for_common(self):
        ids = ids_tensor([self.batch_size, self.seq_length], self.vocab_size)
        return self.get_config(), {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


class UpstreamTests(ModelTesterMixin):
    test_resize_embeddings = True
    has_attentions = True

    def setUp(self):
        reason = EXPLAINED.get(self._testMethodName)
        if reason:
            pytest.skip(reason)
        self.model_tester = Tester(*self.tester)
        if self._testMethodName.startswith("test_training"):
            # A base model has no loss; upstream knows its own by their names.
            self.all_model_classes = self.all_model_classes[1:]

    def _prepare_for_class(self, inputs_dict, model_class, return_labels=False):
        inputs = super()._prepare_for_class(inputs_dict, model_class, return_labels=return_labels)
        if not return_labels:
            return inputs
        # All three streams, so that every weight has something to learn from.
        heard = {
            "prompt_ids": torch.arange(5, 29).view(3, 8),
            "update_ids": torch.arange(30, 54).view(3, 2, 4),
            "update_positions": torch.tensor([[1, 3]] * 3),
        }
        return {**inputs, **heard, "labels": inputs["input_ids"]}


class BaselineUpstreamTest(UpstreamTests, unittest.TestCase):
    all_model_classes = (DuplexBaselineModel, DuplexBaselineForCausalLM)
    tester = (DuplexBaselineConfig,)


class DualStreamUpstreamTest(UpstreamTests, unittest.TestCase):
    all_model_classes = (DualStreamModel, DualStreamForCausalLM)
    tester = (DualStreamConfig,)


class WorkspaceUpstreamTest(UpstreamTests, unittest.TestCase):
    all_model_classes = (WorkspaceModel, WorkspaceForCausalLM)
    tester = (WorkspaceConfig,)
