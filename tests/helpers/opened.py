"""Sessions of tiny models, and what tests do with them."""

import torch
from tiny_models import BOS, EOS, PAD, SIZES, talking_model  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM

from hf_duplex.runtime.sampling import Sampling  # noqa: E402


PROMPT = "given x = 5, y = 3, say both."
NAMES = ["validity", "dual_stream", "baseline", "llama"]
SHORT = Sampling(max_new_tokens=24)
PATIENCE = 60


class Clock:
    """Time that passes when it is told to, from 0."""

    now = 0.0

    def __call__(self):
        return self.now


def model_of(name):
    if name != "llama":
        return talking_model(name)
    torch.manual_seed(0)
    ids = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
    sizes = {name: size for name, size in SIZES.items() if name != "max_message_length"}
    return LlamaForCausalLM(LlamaConfig(**sizes, **ids)).eval()


def open_session(server, due=None, then=None, **options):
    """A session that is told what is due, before the token of that number; `then(session)` is called at its place."""
    due, then = dict(due or {}), dict(then or {})
    with server.lock:
        session = server.open(PROMPT, **{"sampling": SHORT, **options})

        def tell(event=None):
            if event is not None and event.kind != "token":
                return
            step = len(session.history.said)
            for text in due.pop(step, []):
                session.send(text)
            if step in then:
                then.pop(step)(session)

        session.watch(tell)
        tell()
    return session


def finish(session):
    assert session.wait(PATIENCE), session.status
    return session


def ids(session):
    return [token.id for token in session.tokens]
