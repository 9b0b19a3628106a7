"""Configurations of equal size."""

import pytest

from hf_duplex import WorkspaceConfig, equal_size_configs
from hf_duplex.modeling import DuplexConfig, count_parameters


SIZES = {
    "tiny": {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 88, "num_hidden_layers": 2},
    "small": {"vocab_size": 512, "hidden_size": 128, "intermediate_size": 344, "num_hidden_layers": 4},
    "default": {},
    "wide": {"hidden_size": 512, "intermediate_size": 1376, "num_hidden_layers": 6, "num_key_value_heads": 2},
    "latent": {"update_type": "gru", "n_slots": 16},
    "no convolution": {"conv_width": 0, "encoder_layers": 3, "sliding_window": 64},
}


@pytest.mark.parametrize("sizes", SIZES)
def test_the_three_are_within_two_percent(sizes):
    configs = equal_size_configs(WorkspaceConfig(**SIZES[sizes]))
    assert set(configs) == {"baseline", "dual_stream", "workspace"}
    target = count_parameters(configs["workspace"])
    for config in configs.values():
        assert abs(count_parameters(config) / target - 1) <= 0.02
        for name in set(DuplexConfig.__annotations__) - {"num_hidden_layers", "intermediate_size"}:
            assert getattr(config, name) == getattr(configs["workspace"], name)


def test_a_size_that_cannot_be_met_is_refused():
    with pytest.raises(ValueError, match="`workspace`: no baseline comes within 0% of its"):
        equal_size_configs(WorkspaceConfig(), tolerance=0.0)
