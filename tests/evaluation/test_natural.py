"""Interruptions in natural English: which answers are right, what reaches whom when, and how a run is written down."""

import json
import re
from pathlib import Path

import pytest
import torch
from rich.console import Console
from tiny_chat import ENDS, SPECIAL, chat_model, chat_tokenizer, write_adapter, write_base
from typer.testing import CliRunner

from hf_duplex import listen
from hf_duplex.cli.app import app
from hf_duplex.evaluation.benchmarks.natural import comparisons, print_natural_table, run_natural_benchmark
from hf_duplex.evaluation.benchmarks.natural_scoring import is_right, read_case, read_cases, repeating_suffices
from hf_duplex.evaluation.benchmarks.weight_noise import add_noise, quantization_steps
from hf_duplex.evaluation.contestants.natural import Loader, OpenInput, StoppedAndTold
from hf_duplex.evaluation.metrics.statistics import mcnemar, wilson


DATA = Path(__file__).with_name("natural_cases.jsonl")
TOKENS = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("natural")
    write_base(root / "base")
    write_adapter(root / "adapter", chat_model())
    return root


@pytest.fixture(scope="module")
def cases():
    return read_cases(DATA)


def spec_of(folder, kind):
    return f"{folder / 'adapter'}{kind}" if kind in ("", "@always", "@after_update") else f"{folder / 'base'}{kind}"


RIGHT = {
    "h1": ["4 lemons, milk", "Not 2 lemons but 4 lemons.", "4 LEMONS. Remove the 2 lemons"],
    "h2": ["10", "2x is 10, no longer 8."],
    "h3": ["Ana, I am late."],
    "h4": ["the tent", "Only the tent. Without the stove."],
}
WRONG = {
    "h1": ["", "2 lemons, now 4 lemons", "14 lemons", "4 lemons. Not all. 2 lemons", "no!\n 4 lemons and 2 lemons"],
    "h2": ["8, then 10", "100", "Wait. 10 or 6"],
    "h3": ["Ana is here."],
    "h4": ["tent and stove"],
}


def test_what_is_right_and_what_is_not(cases):
    for case in cases:
        assert all(is_right(case, answer) for answer in RIGHT[case.id])
        assert not any(is_right(case, answer) for answer in WRONG[case.id])


def reference(case, answer):
    """The rule of the published cases, as their own scorer states it."""
    repair = (
        r"\b(not|no|never|instead of|no longer|rather than|sorry|wait|correction|scratch|changed from|was|were|without"
        r"|except|remove[sd]?|drop(?:ped)?|skip(?:ped)?|n't|forget|ignore[sd]?|take back|hold on|actually)\b"
    )
    for pattern in case["must"]:
        if not re.search(pattern, answer, re.I):
            return False
    for pattern in case["must_not"]:
        for match in re.finditer(pattern, answer, re.I):
            start = max((found.end() for found in re.finditer(r"[.!?\n]\s", answer[: match.start()])), default=0)
            if not re.search(repair, answer[start : match.start()], re.I):
                return False
    return True


def test_it_agrees_with_the_scorer_of_the_published_cases(cases):
    rows = [json.loads(line) for line in DATA.read_text().splitlines()]
    answers = [answer for group in (RIGHT, WRONG) for given in group.values() for answer in given]
    for case, row in zip(cases, rows, strict=True):
        assert [is_right(case, answer) for answer in answers] == [reference(row, answer) for answer in answers]


def test_where_repeating_the_last_update_suffices(cases):
    assert [repeating_suffices(case) for case in cases] == [True, False, False, False]


def test_intervals_and_the_paired_test():
    figure = wilson(0, 10)
    assert figure["value"] == 0 and figure["interval"] == [0.0, pytest.approx(0.2775, abs=1e-4)]
    assert wilson(0, 0)["value"] is None
    found = mcnemar([True] * 6 + [False] * 4, [False] * 6 + [False] * 4)
    assert found == {"difference": 0.6, "only_a": 6, "only_b": 0, "p": pytest.approx(2 / 64)}
    assert mcnemar([True], [True])["p"] == 1
    with pytest.raises(ValueError, match="same cases"):
        mcnemar([True], [])


def test_adapters_are_held_against_baselines():
    right = {name: [True, False] for name in ("adapter", "other", "restart", "spliced")}
    pairs = [(pair["a"], pair["b"]) for pair in comparisons(right, ["restart", "spliced"])]
    assert pairs == [
        ("adapter", "restart"),
        ("adapter", "spliced"),
        ("other", "restart"),
        ("other", "spliced"),
        ("adapter", "other"),
    ]
    baselines = comparisons({"restart": [True], "spliced": [True]}, ["restart", "spliced"])
    assert [(pair["a"], pair["b"]) for pair in baselines] == [("restart", "spliced")]


@pytest.mark.parametrize("kind", ["", "@after_update", "@spliced", "@next_turn", "@restart"])
def test_a_batch_is_each_of_its_cases_alone(folder, cases, kind):
    contestant = Loader(folder / "base")(spec_of(folder, kind))
    # It ends its texts now and then.
    contestant.model.get_output_embeddings().register_forward_hook(
        lambda module, given, logits: logits + 0.4 * torch.nn.functional.one_hot(torch.tensor(ENDS), 259)
    )
    together = contestant.answer(cases, TOKENS)
    assert together == [contestant.answer([case], TOKENS)[0] for case in cases]
    assert len({len(answer) for answer in together}) > 1
    assert contestant.baseline == (kind in ("@spliced", "@next_turn", "@restart"))


class Recorder:
    """A model that listens, and notes what was emitted when each update of its only row came."""

    def __init__(self, model, lines):
        self.model, self.lines, self.came = model, lines, []

    def __getattr__(self, name):
        return getattr(self.model, name)

    def generate(self, interrupt_callback=None, **kwargs):
        def noted(input_ids):
            interrupt = interrupt_callback(input_ids)
            if interrupt is not None:
                text = chat_tokenizer().decode(input_ids[0, 1:], skip_special_tokens=True)
                self.came += [text] * int(interrupt.update_mask.any(-1).sum())
            return interrupt

        def scripted(input_ids, scores):
            said = [token for token in input_ids[0, 1:].tolist() if token != kwargs["pad_token_id"]]
            forced = torch.full_like(scores, -torch.inf)
            forced[:, self.lines[len(said)] if len(said) < len(self.lines) else ENDS] = 0
            return forced

        return self.model.generate(interrupt_callback=noted, logits_processor=[scripted], **kwargs)


@pytest.mark.parametrize("kind", ["", "@spliced"])
def test_updates_come_after_so_many_words_or_behind_the_end(folder, kind):
    contestant = Loader(folder / "base")(spec_of(folder, kind))
    row = {"id": "a", "domain": "b", "kind": "c", "prompt": "Count.", "must": [], "must_not": []}
    row["updates"] = [{"after": after, "text": text} for after, text in ((2, "one"), (2, "two"), (40, "three"))]
    text = f"ab cd ef{SPECIAL[ENDS]} gh ij{SPECIAL[ENDS]}"
    contestant.model = recorder = Recorder(contestant.model, chat_tokenizer().encode(text))
    (answer,) = contestant.answer([read_case(json.dumps(row), "line 1")], 12)
    assert recorder.came == ["ab c", "ab c", "ab cd ef"]
    assert answer == " gh ij"


def test_the_length_counts_from_the_last_update(folder):
    contestant = Loader(folder / "base")(str(folder / "adapter"))
    row = {"id": "a", "domain": "b", "kind": "c", "prompt": "Count.", "must": [], "must_not": []}
    row["updates"] = [{"after": 3, "text": "one"}]
    contestant.model = Recorder(contestant.model, chat_tokenizer().encode("ab cd e" + "f" * 40))
    (answer,) = contestant.answer([read_case(json.dumps(row), "line 1")], 8)
    assert answer == "f" * 8


def test_the_base_is_told_in_turns(cases):
    class Model:
        """Emits one word a turn."""

        device, read = torch.device("cpu"), []
        config, generation_config = chat_model().config, chat_model().generation_config

        def num_parameters(self):
            return 1

        def generate(self, input_ids, attention_mask, stopping_criteria, **kwargs):
            self.read += [chat_tokenizer().decode(input_ids[0][attention_mask[0].bool()])]
            for token in chat_tokenizer().encode(f" word{len(self.read)} x y z {SPECIAL[ENDS]}"):
                input_ids = torch.cat([input_ids, torch.tensor([[token]])], dim=1)
                if bool(stopping_criteria(input_ids, None).all()):
                    break
            return input_ids

    model = Model()
    (answer,) = StoppedAndTold("base", model, chat_tokenizer(), restart=False).answer([cases[1]], 40)
    # The first update comes before anything is emitted, the second in the next turn.
    turns = ["user\nx = 3. What is 2x?\nx = 4", "assistant\nword1 x y", "user\nno, x = 5", "assistant\n"]
    assert model.read[1] == "<|im_end|>\n".join(f"<|im_start|>{turn}" for turn in turns)
    assert answer == " word2 x y z "
    model.read = []
    (answer,) = StoppedAndTold("base", model, chat_tokenizer(), restart=True).answer([cases[1]], 40)
    turns = ["user\nx = 3. What is 2x?\nx = 4\nno, x = 5", "assistant\n"]
    assert model.read == ["<|im_end|>\n".join(f"<|im_start|>{turn}" for turn in turns)]
    assert answer == " word1 x y z "


def test_a_scope_changes_what_is_emitted_and_the_base_is_shared(folder, cases):
    load = Loader(folder / "base")
    always, after = (load(spec_of(folder, kind)) for kind in ("@always", "@after_update"))
    assert always.model.config.scope == "always" and after.model.config.scope == "after_update"
    assert always.answer(cases, TOKENS) != after.answer(cases, TOKENS)
    first = next(always.model.base.parameters()), next(after.model.base.parameters())
    assert first[0].data_ptr() == first[1].data_ptr()


def test_a_run_is_written_down(folder, tmp_path):
    paths = {"json_path": tmp_path / "deep" / "out.json", "cases_path": tmp_path / "deep" / "cases.txt"}
    specs = [spec_of(folder, kind) for kind in ("", "@after_update", "@restart")]
    results = run_natural_benchmark(DATA, specs, folder / "base", batch_size=3, max_new_tokens=6, noise=7, **paths,
                                    progress=False)  # fmt: skip
    assert json.loads(paths["json_path"].read_text()) == results
    assert list(results["models"]) == ["adapter", "adapter@after_update", "base@restart"]
    model = results["models"]["adapter"]
    assert model["all"]["n"] == 4 and model["not_by_repeating"]["n"] == 3
    assert set(model["domains"]) == {"lists", "arithmetic", "messages", "facts"}
    assert results["settings"]["noise"] == 7 and {"command", "commit", "versions", "machine"} <= set(results)
    assert len(results["comparisons"]) == 3
    text = paths["cases_path"].read_text()
    assert text.count("adapter@after_update:") == 4 and "after 60 words: and sorry" in text
    console = Console(record=True, width=160, file=open("/dev/null", "w"))
    print_natural_table(results, console)
    assert "not by repeating" in console.export_text()


def test_noise_is_as_large_as_half_a_step_and_the_same_each_time():
    weight = torch.randn(3, 40)
    steps = quantization_steps(weight)
    assert steps.shape == weight.shape
    assert torch.allclose(steps[1, 5], (weight[1, :32].max() - weight[1, :32].min()) / 15)
    assert torch.allclose(steps[1, 35], (weight[1, 32:].max() - weight[1, 32:].min()) / 15)
    models = [chat_model() for _ in range(3)]
    for model, seed in zip(models[1:], (1, 1), strict=True):
        add_noise(model, seed)
    before, after, again = (model.model.layers[0].mlp.up_proj.weight for model in models)
    assert torch.equal(after, again) and not torch.equal(before, after)
    assert bool(((after - before).abs() <= quantization_steps(before) / 2 + 1e-7).all())
    assert torch.equal(models[0].lm_head.weight, models[1].lm_head.weight)


def line(**changes):
    row = json.loads(DATA.read_text().splitlines()[0])
    return json.dumps({name: value for name, value in {**row, **changes}.items() if value is not None})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        (line(must=None), "`must` is missing"),
        (line(prompt=None), "`prompt` is missing"),
        (line(updates=[]), "`updates` is empty"),
        (line(updates=[{"after": 3}]), r"`updates\[0\].text` is missing"),
        (line(updates=[{"after": -1, "text": "x"}]), r"`updates\[0\].after`"),
        (line(must=["("]), r"`must\[0\]`"),
        (line(must_not="x"), "`must_not` must be a list"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, named):
    path = tmp_path / "cases.jsonl"
    path.write_text(f"{line()}\n\n{text}\n")
    with pytest.raises(ValueError, match=f"line 3: {named}|line 3: .*{named}"):
        read_cases(path)


def test_empty_and_doubled_cases_are_named(tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_text("\n")
    with pytest.raises(ValueError, match="no case"):
        read_cases(path)
    path.write_text(f"{line()}\n{line()}\n")
    with pytest.raises(ValueError, match="two cases"):
        read_cases(path)


def test_the_command_says_what_is_wrong(folder, tmp_path):
    def run(*arguments):
        shown = CliRunner().invoke(app, ["bench", "natural", *map(str, arguments)], env={"COLUMNS": "200"})
        assert shown.exit_code == 2
        return shown.output

    assert "--data" in run("--model", folder / "adapter")
    assert "there is no file" in run("--data", tmp_path / "none", "--model", folder / "adapter")
    assert "the mode 'deaf'" in run("--data", DATA, "--model", f"{folder / 'adapter'}@deaf")
    assert "behind an @" in run("--data", DATA, "--model", folder / "base")
    assert "no config.json" in run("--data", DATA, "--model", tmp_path)


def test_a_long_update_is_named(folder):
    model, tokenizer = chat_model(), chat_tokenizer()
    duplex = listen(model)
    duplex.config.max_message_length = 30
    row = json.loads(line(updates=[{"after": 1, "text": "x" * 60}]))
    with pytest.raises(ValueError, match="an update of h1 has"):
        OpenInput("base", duplex, tokenizer, True).answer([read_case(json.dumps(row), "line 1")], 4)
