"""An adapter of two tracks travels with its code: a process without the package reflects with it."""

import torch
from apart import run_apart
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from hf_duplex.dual_track.modeling import DualTrackCache, DualTrackForCausalLM


USE = """
import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(argument["tracks"], base=argument["base"], trust_remote_code=True).eval()
model.forbid([0, 1, 2])
ids = torch.tensor(argument["ids"])
said = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False, eos_token_id=None)
model.save_pretrained(argument["saved"])
again = AutoModelForCausalLM.from_pretrained(argument["saved"], base=argument["base"], trust_remote_code=True).eval()
again.forbid([0, 1, 2])
result = {
    "class": type(model).__name__, "module": type(model).__module__, "said": said.tolist(),
    "again": again.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False, eos_token_id=None
    ).tolist(),
}
assert "hf_duplex" not in sys.modules
"""


def test_an_adapter_reflects_where_the_package_is_not_installed(tmp_path):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=100, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    base = LlamaForCausalLM(config).eval()
    base.save_pretrained(tmp_path / "base")
    model = DualTrackForCausalLM.from_base(str(tmp_path / "base"), boundary_ids=[5], threshold=0.0, window=4, sinks=1)
    model.save_pretrained(tmp_path / "tracks")
    model.eval().forbid([0, 1, 2])
    ids = torch.randint(7, 100, (1, 24), generator=torch.Generator().manual_seed(3))
    ids[:, 10] = 5
    cache = DualTrackCache(model.config)
    settings = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 8, "do_sample": False, "eos_token_id": None}
    said = model.generate(ids, past_key_values=cache, **settings)
    assert cache.reflections and said.tolist() != base.generate(ids, **settings).tolist(), "it reflects, and it shows"

    here = AutoModelForCausalLM.from_pretrained(tmp_path / "tracks", base=base)
    assert type(here) is DualTrackForCausalLM
    places = {name: str(tmp_path / name) for name in ("tracks", "base", "saved")}
    found = run_apart(tmp_path, USE, {**places, "ids": ids.tolist()})
    assert found["class"] == "DualTrackForCausalLM" and found["module"].startswith("transformers_modules.")
    assert found["said"] == found["again"] == said.tolist()
    assert sum(file.stat().st_size for file in (tmp_path / "tracks").glob("*.safetensors")) < 10**6
