"""
Configurations and models. All files in this folder are saved with a checkpoint, so the folder is flat, uses one-dot
imports, and needs only torch and transformers.
"""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM
from transformers.pipelines import PIPELINE_REGISTRY

from .base_model import CannotListen
from .cache import DuplexCache
from .chat_format import ChatFormat
from .configuration_adapter import DuplexAdapterConfig
from .configuration_duplex import DualStreamConfig, DuplexBaselineConfig, DuplexConfig, WorkspaceConfig
from .generation import DuplexGenerateOutput, DuplexGenerationMixin
from .interrupts import Interrupt, InterruptError
from .listen import listen
from .messages import encode_prompt, encode_update, encode_updates, split_messages
from .modeling_adapter import DuplexAdapterForCausalLM
from .modeling_baseline import DuplexBaselineForCausalLM, DuplexBaselineModel
from .modeling_dual_stream import DualStreamForCausalLM, DualStreamModel
from .modeling_workspace import WorkspaceForCausalLM, WorkspaceModel
from .pipeline_duplex import DuplexGenerationPipeline
from .sizes import count_parameters, equal_size_configs
from .slots_adapter import AdapterWorkspace
from .workspace import Workspace, WorkspaceChange


for _config, _model, _head in (
    (DuplexBaselineConfig, DuplexBaselineModel, DuplexBaselineForCausalLM),
    (DualStreamConfig, DualStreamModel, DualStreamForCausalLM),
    (WorkspaceConfig, WorkspaceModel, WorkspaceForCausalLM),
):
    AutoConfig.register(_config.model_type, _config)
    AutoModel.register(_config, _model)
    AutoModelForCausalLM.register(_config, _head)

AutoConfig.register(DuplexAdapterConfig.model_type, DuplexAdapterConfig)
AutoModelForCausalLM.register(DuplexAdapterConfig, DuplexAdapterForCausalLM)

PIPELINE_REGISTRY.register_pipeline(
    "duplex-generation", pipeline_class=DuplexGenerationPipeline, pt_model=(AutoModelForCausalLM,), type="text"
)

__all__ = [
    "AdapterWorkspace",
    "CannotListen",
    "ChatFormat",
    "DualStreamConfig",
    "DualStreamForCausalLM",
    "DualStreamModel",
    "DuplexAdapterConfig",
    "DuplexAdapterForCausalLM",
    "DuplexBaselineConfig",
    "DuplexBaselineForCausalLM",
    "DuplexBaselineModel",
    "DuplexCache",
    "DuplexConfig",
    "DuplexGenerateOutput",
    "DuplexGenerationMixin",
    "DuplexGenerationPipeline",
    "Interrupt",
    "InterruptError",
    "Workspace",
    "WorkspaceChange",
    "WorkspaceConfig",
    "WorkspaceForCausalLM",
    "WorkspaceModel",
    "count_parameters",
    "encode_prompt",
    "encode_update",
    "encode_updates",
    "equal_size_configs",
    "listen",
    "split_messages",
]
