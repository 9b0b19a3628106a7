"""The files for `accelerate launch`: read by accelerate itself, and what they have it do with our models."""

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import FullyShardedDataParallelPlugin
from accelerate.utils.fsdp_utils import fsdp2_prepare_auto_wrap_policy
from accelerate.utils.launch import prepare_multi_gpu_env
from toy_runs import samples, toy_tokenizer
from transformers import AutoModelForCausalLM, TrainingArguments

from hf_duplex.data import ChannelCollator, encode_sample
from hf_duplex.modeling.layers import DuplexCrossDecoderLayer, DuplexDecoderLayer
from hf_duplex.training import DuplexTrainer, ModelArguments
from hf_duplex.training.trainer import widen_scalars


TYPES = ["workspace", "baseline", "dual_stream"]


def tiny_model(model_type):
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    return AutoModelForCausalLM.from_config(ModelArguments(model_type, **sizes).config())


@pytest.fixture
def folder(request):
    return request.config.rootpath / "examples" / "accelerate"


def environment(path, *argv):
    """What `accelerate launch` sets for each process that it starts."""
    argv = ["--config_file", str(path), "--main_process_port", "0", *argv, "-m", "hf_duplex.training.train"]
    args, _, _ = _validate_launch_command(launch_command_parser().parse_args(argv))
    assert args.multi_gpu or args.use_fsdp
    return prepare_multi_gpu_env(args), args


def test_every_file_is_read_and_starts_several_processes(folder):
    paths = sorted(folder.glob("*.yaml"))
    assert [path.name for path in paths] == ["cpu.yaml", "ddp.yaml", "fsdp.yaml"]
    for path in paths:
        assert load_config_from_file(str(path)).num_processes == 2
        _, args = environment(path, "--num_processes", "4")
        assert args.nproc_per_node == "4" and args.mixed_precision == "no"
        assert f"accelerate launch --config_file examples/accelerate/{path.name} " in path.read_text()


@pytest.mark.parametrize("model_type", TYPES)
def test_every_block_of_every_generator_is_sharded(folder, monkeypatch, model_type):
    for name, value in environment(folder / "fsdp.yaml")[0].items():
        if name.startswith("FSDP_"):
            monkeypatch.setenv(name, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2 and "FULL_STATE_DICT" in str(plugin.state_dict_type)
    model = tiny_model(model_type)
    sharded = list(filter(fsdp2_prepare_auto_wrap_policy(plugin, model), model.modules()))
    assert sharded == [module for module in model.modules() if isinstance(module, DuplexDecoderLayer)]
    crossed = sum(isinstance(module, DuplexCrossDecoderLayer) for module in sharded)
    assert crossed == (0 if model_type == "baseline" else 2)


@pytest.mark.parametrize("model_type", TYPES)
def test_parameters_that_cannot_be_sharded_are_widened_and_saved_as_they_were(tmp_path, model_type):
    """What the Trainer does under FSDP, which needs GPUs: torch refuses to shard parameters without a dimension."""
    model = tiny_model(model_type).eval()
    batch = ChannelCollator(toy_tokenizer())([encode_sample(toy_tokenizer(), row) for row in samples(4)])
    shapes = {name: weight.shape for name, weight in model.state_dict().items()}
    loss = model(**batch).loss
    trainer = DuplexTrainer(model, TrainingArguments(tmp_path, use_cpu=True, report_to="none"))
    assert trainer.widened == [] and {name: weight.shape for name, weight in model.state_dict().items()} == shapes
    trainer.is_fsdp_enabled, trainer.widened = True, widen_scalars(model)
    assert set(trainer.widened) == {name for name, shape in shapes.items() if not shape}
    assert bool(trainer.widened) == (model_type != "baseline")
    assert all(parameter.dim() for parameter in model.parameters()) and model(**batch).loss == loss
    model.__class__ = type("Sharded", (type(model),), {"__module__": "torch.distributed"})
    trainer._save(str(tmp_path / "saved"), model.state_dict())
    assert type(model).__name__ == "Sharded" and (tmp_path / "saved" / "layers.py").is_file()
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "saved").eval()
    assert {name: weight.shape for name, weight in again.state_dict().items()} == shapes
    assert again(**batch).loss == loss
