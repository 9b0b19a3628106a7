"""The interface of update rules: `W_k = f_update(W_{k-1}, U_k)`."""

from abc import ABC, abstractmethod

import torch
from torch import nn

from .packing import PackedMessages
from .workspace import Workspace


# Log-validity of an invisible slot: finite, because it is used in sums and products.
LOG_ZERO = -1e4


class UpdateRule(nn.Module, ABC):
    """
    Base class of update rules. A rule defines the workspace before any message, how one message changes it, and all
    versions of a conversation at once, for training. `forward`, called message by message, and `all_versions` must
    give equal results.

    Args:
        config ([`~configuration_duplex.WorkspaceConfig`]): The configuration.

    Attributes:
        n_slots (`int`): Maximum number of slots of a workspace.
    """

    def __init__(self, config):
        super().__init__()
        self.n_slots: int = config.n_slots

    @abstractmethod
    def initial(self, batch_size: int) -> Workspace:
        """The workspace before any message."""

    @abstractmethod
    def forward(
        self, workspace: Workspace, states: torch.Tensor, mask: torch.Tensor, token_ids: torch.LongTensor
    ) -> Workspace:
        """
        Folds one message into the workspace. A row whose message is masked out keeps its slots and its version.

        Args:
            workspace (`Workspace`): The previous version, W_{k-1}.
            states (`torch.Tensor` of shape `(batch, length, hidden_size)`): The encoded message U_k.
            mask (`torch.BoolTensor` of shape `(batch, length)`): Which tokens are there.
            token_ids (`torch.LongTensor` of shape `(batch, length)`): The tokens of the message.
        """

    @abstractmethod
    def all_versions(self, states: torch.Tensor, messages: PackedMessages) -> tuple[torch.Tensor, torch.Tensor]:
        """
        The workspace at every version.

        Args:
            states (`torch.Tensor` of shape `(batch, tokens, hidden_size)`): The encoded messages, packed.
            messages ([`~packing.PackedMessages`]): The message of each token.

        Returns:
            Slots `(batch, slots, hidden_size)`, and the logarithm of their validity at each version,
            `(batch, versions, slots)`: `LOG_ZERO` for slots that a version does not contain.
        """

    def init_weights(self, std: float) -> None:
        """Initializes parameters outside linear layers, embeddings and norms."""


__all__ = ["LOG_ZERO", "UpdateRule"]
