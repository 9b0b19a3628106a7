"""How alike two summaries are, by a sentence-embedding model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    import torch


MINILM = "sentence-transformers/all-MiniLM-L6-v2"


class SentenceEmbedding:
    """
    Cosine of sentence embeddings (arXiv 1908.10084): tokens of the last layer averaged, to length 1.

    Such a model tells what a sentence is about, not whether it is denied: "allergic" and "not allergic" are alike.

    Args:
        model (`str`): Folder or name of an encoder that transformers can read.

    Raises:
        ValueError: There is none.
    """

    def __init__(self, model: str = MINILM):
        import torch
        from transformers import AutoModel, AutoTokenizer

        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(model)
            self.encoder: Any = AutoModel.from_pretrained(model, dtype=torch.float32).eval()
        except OSError as error:
            raise ValueError(f"`model`: no sentence-embedding model could be read from {model!r}: {error}") from error
        self._known: dict[str, torch.Tensor] = {}

    def embed(self, texts: list[str], batch_size: int = 64) -> torch.Tensor:
        """`[texts, width]`, each of length 1."""
        import torch
        from torch.nn import functional

        found = []
        for begin in range(0, len(texts), batch_size):
            batch = self.tokenizer(
                texts[begin : begin + batch_size], padding=True, truncation=True, max_length=256, return_tensors="pt"
            )
            with torch.no_grad():
                hidden = self.encoder(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            found.append(functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1))
        return torch.cat(found)

    def __call__(self, one: str, other: str) -> float:
        """Cosine of two texts, -1 to 1."""
        new = [text for text in dict.fromkeys((one, other)) if text not in self._known]
        if new:
            self._known.update(zip(new, self.embed(new), strict=True))
        return float(self._known[one] @ self._known[other])
