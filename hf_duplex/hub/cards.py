"""Model cards, drawn from results files: no number in them is typed by hand."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData


WHAT = {
    "duplex_workspace": (
        "Whatever is said to it, before or while it speaks, reaches this model through a bounded workspace that later "
        "messages revise. The generator never sees an incoming token, and nothing is read twice."
    ),
    "duplex_baseline": (
        "A Llama with a short convolution that hears in place: prompts and updates are spliced into its own stream as "
        "they come. It is the baseline that the workspace model is held against, of the same size and training."
    ),
    "duplex_dual_stream": (
        "The prompt stands in this model's own stream; updates come in beside it and are reached by cross-attention."
    ),
}

COLUMNS = {"revision": "revision_accuracy", "contradiction": "contradiction_rate", "answer": "answer_accuracy"}

TEMPLATE = """---
{{ card_data }}
---

# {{ name }}

{{ what }}

{{ parameters }} parameters, trained from scratch on two synthetic families of conversations in which facts change
while they are being talked about: variable substitution and fact correction. It knows nothing else.

```python
from transformers import pipeline

talk = pipeline("duplex-generation", model="{{ name }}", trust_remote_code=True)
print(talk("Given x = 5, compute 3x + 2 step by step.", updates=[(6, "Actually x = 7.")])["generated_text"])
```

An update is a pair: how many tokens were emitted before it, and its text. For live input hand `interrupt_callback` to
`generate`; it is asked once a step.

## Results
{% if results %}
Free-running, greedy, {{ results.settings.samples }} held-out samples (split `{{ results.settings.builder.split }}`),
values read back out of the text; 95 % bootstrap intervals over samples.

| family | revision accuracy | contradiction rate | answer accuracy |
|---|---|---|---|
{% for row in rows -%}
| {{ row.family }} | {{ row.revision }} | {{ row.contradiction }} | {{ row.answer }} |
{% endfor %}
- *Revision accuracy*: answers changed by an update whose last statement has the final value (n = {{ n }}).
- *Contradiction rate*: values said after an update that it had replaced.
- *Answer accuracy*: all answers, changed or not.

Command: `{{ results.command }}`; commit {{ results.commit }}; {{ results.machine.cpu }}, {{ results.machine.cores }}
cores; torch {{ results.versions.torch }}, transformers {{ results.versions.transformers }}.
{% else %}
Not measured yet.
{% endif %}
## Training
{% for run in runs %}
{{ loop.index }}. {{ "{:,}".format(run.samples) }} samples in {{ "{:,}".format(run.steps) }} steps of {{ run.batch_size }}, seed {{ run.seed }}, learning rate
   {{ run.learning_rate }}, on {{ run.machine.accelerator or run.machine.cpu }}; loss on held-out samples {{ "%.4f" | format(run.eval_loss) }}.
   Command: `{{ run.command }}`
{% endfor %}
Weights are stored in bfloat16.

## Limits

A research model of toy size: English of a few wordings, integers up to 20 in questions, names of a single word. It has
no knowledge of the world: a fact is whatever it was told last. What it says of facts that it was not told is noise.
"""


def _figure(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "–"
    low, high = figure["interval"]
    return f"{figure['value']:.3f} ({low:.3f}–{high:.3f})"


def write_card(folder: str | Path) -> None:
    """
    Writes `README.md` of a model folder from its `config.json`, `training.json` and, where there is one,
    `results.json` as `hf-duplex bench revision` writes it.
    """
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text())
    training = json.loads((folder / "training.json").read_text())
    path = folder / "results.json"
    results = json.loads(path.read_text()) if path.is_file() else None
    model = results["models"].get(folder.name) if results else None
    if results and model is None:
        raise ValueError(f"{path} holds no results of {folder.name}, only of {', '.join(results['models'])}.")
    rows, evaluated, n = [], [], 0
    runs = [training]
    while runs[0].get("earlier"):
        runs.insert(0, runs[0]["earlier"])
    if results and model:
        n = model["revision_accuracy"]["n"]
        for family, figures in [("all", model), *model["families"].items()]:
            rows.append({"family": family} | {short: _figure(figures[name]) for short, name in COLUMNS.items()})
        for family, figures in model["families"].items():
            for metric in ("revision_accuracy", "contradiction_rate"):
                if figures[metric]["value"] is None:
                    continue
                evaluated.append(
                    EvalResult(
                        task_type="text-generation",
                        dataset_type=f"hf_duplex/{family}",
                        dataset_name=f"{family} ({results['settings']['builder']['split']})",
                        metric_type=metric,
                        metric_value=figures[metric]["value"],
                    )
                )
    data = ModelCardData(
        language="en",
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["full-duplex", "interruptible", "revision", "trained-from-scratch"],
        model_name=folder.name,
        eval_results=evaluated or None,
    )
    card = ModelCard.from_template(
        data,
        template_str=TEMPLATE,
        name=folder.name,
        what=WHAT[config["model_type"]],
        parameters=f"{training['parameters']:,}",
        runs=runs,
        results=results,
        rows=rows,
        n=n,
    )
    card.save(folder / "README.md")
