"""A base answers ordinary chat."""

import json
from contextlib import suppress

import pytest
import torch
from toy_tracks import write_base
from transformers import AutoTokenizer, LlamaForCausalLM

from hf_duplex.bases import load_base
from hf_duplex.data.own import read_conversations
from hf_duplex.training import chat_answers
from hf_duplex.training.chat_answers import answer, batches_of, main


TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PROMPTS = [[{"role": "user", "content": "My dog likes tea. " * number}] for number in (1, 4, 2, 3)]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = write_base(tmp_path_factory.mktemp("base"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    model = LlamaForCausalLM.from_pretrained(folder)
    # Six tokens are likely, one of them the end.
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 3
        model.lm_head.weight *= 30
        model.lm_head.weight[:, 0] = -10
        model.lm_head.weight[[tokenizer.eos_token_id, *range(40, 45)], 0] = 0
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def command(base, tmp_path):
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in PROMPTS))
    sizes = ["--batch-size", "2", "--max-new-tokens", "8", "--device", "cpu"]
    return ["--base", str(base), "--prompts", str(prompts), *sizes, "--out"]


def test_answers_are_own_data(command, tmp_path):
    out = tmp_path / "new" / "answers.jsonl"
    main([*command, str(out)])
    found = read_conversations(out)
    assert 0 < len(found) <= len(PROMPTS)
    assert all(row.messages in PROMPTS and row.text and row.updates == [] for row in found)


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_run_that_stopped_goes_on(command, tmp_path, monkeypatch, batches):
    whole, stopped = tmp_path / "whole.jsonl", tmp_path / "stopped.jsonl"
    main([*command, str(whole)])
    seen = 0

    def stops(*arguments, **options):
        nonlocal seen
        if seen == batches:
            raise KeyboardInterrupt
        seen += 1
        return answer(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(chat_answers, "answer", stops)
        with suppress(KeyboardInterrupt):
            main([*command, str(stopped)])
    with stopped.open("a") as file:
        file.write('{"messages": [')  # Half a line.
    main([*command, str(stopped)])
    assert stopped.read_text() == whole.read_text() != ""


def test_answers_of_other_options_are_not_mixed(command, tmp_path, capsys):
    main([*command, str(tmp_path / "a.jsonl")])
    with pytest.raises(SystemExit) as ended:
        main([*command, str(tmp_path / "a.jsonl"), "--seed", "5"])
    assert ended.value.code == 2 and "was not begun with this command (seed)" in capsys.readouterr().err


def test_an_answer_that_is_cut_short_is_left_out(base):
    model, tokenizer = load_base(base)
    rows = [ids for batch in batches_of(PROMPTS, tokenizer, 4) for _, ids in batch]
    found = [*answer(model, tokenizer, rows * 20, max_new_tokens=2, temperature=1.0, top_p=1.0)]
    assert len(found) == len(rows) * 20 and found.count(None) > 40


def test_batches_are_sorted_by_length(base):
    _, tokenizer = load_base(base)
    lengths = [len(ids) for batch in batches_of(PROMPTS, tokenizer, 3) for _, ids in batch]
    assert lengths == sorted(lengths, reverse=True)


def test_padding_does_not_change_an_answer(tmp_path):
    model, tokenizer = load_base(write_base(tmp_path))
    tokenizer.chat_template = TEMPLATE
    rows = [ids for batch in batches_of(PROMPTS, tokenizer, 4) for _, ids in batch]
    likeliest = model.generate(torch.tensor([rows[0]]), max_new_tokens=8, do_sample=False)[0, len(rows[0]) :]
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(next(int(i) for i in likeliest if i != likeliest[0]))
    # Next to no temperature: the likeliest token each time.
    together = list(answer(model, tokenizer, rows, max_new_tokens=8, temperature=1e-4, top_p=1.0))
    alone = [next(answer(model, tokenizer, [ids], max_new_tokens=8, temperature=1e-4, top_p=1.0)) for ids in rows]
    assert together == alone
    assert any(alone)


def test_prompts_are_written_without_answering(command, tmp_path, capsys):
    main([*command, str(tmp_path / "none"), "--count", "3", "--write-prompts", str(tmp_path / "some" / "p.jsonl")])
    found = [json.loads(line)["messages"] for line in (tmp_path / "some" / "p.jsonl").read_text().splitlines()]
    assert found == PROMPTS[:3] and not (tmp_path / "none").exists()
    assert "3 prompts are in" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line", ["{", '"text"', "{}", '{"messages": []}', '{"messages": [{"role": "assistant", "content": "Hi"}]}']
)
def test_a_line_without_a_prompt_is_named(line, tmp_path, capsys):
    (tmp_path / "p.jsonl").write_text(line + "\n")
    with pytest.raises(SystemExit) as ended:
        main(["--prompts", str(tmp_path / "p.jsonl"), "--out", str(tmp_path / "a.jsonl")])
    assert ended.value.code == 2 and "`prompts`: line 1 of" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--count", "0"], ["--temperature", "0"], ["--top-p", "1.5"]])
def test_options_out_of_range_are_named(option, capsys):
    with pytest.raises(SystemExit):
        main(option)
    assert f"error: {option[0]} must be" in capsys.readouterr().err
