"""Converts Disfl-QA to rows: questions that people corrected while they asked them.

Gupta et al., "Disfl-QA: A Benchmark Dataset for Understanding Disfluencies in Question Answering" (2021), CC-BY-4.0.
The data do not come with this package: get `train.json`, `dev.json` and `test.json` from
https://github.com/google-research-datasets/Disfl-QA and give the path of their folder.

hf-duplex data disfl-qa disfl_qa/ --show 5 --out data/disfl_qa
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..speech.discourse import END
from ..speech.disfluency import cue_kind, find_cue, repair, split_at_cue


SOURCE = "https://github.com/google-research-datasets/Disfl-QA"
SPLITS = ("train", "dev", "test")
TASK_TYPE = "disfl_qa"

Row = dict[str, Any]


def load_disfl_qa(path: str | Path, split: str = "train", *, include_unsplit: bool = True) -> list[Row]:
    """
    Reads one split of Disfl-QA as rows of `schema.SCHEMA`.

    The disfluent question is cut at its repair cue by [`~dataset_builder.speech.disfluency.split_at_cue`] into the
    prompt, an incomplete question, and the update that interrupts it; the target is the question as meant. The cut
    depends on the disfluent question alone. The question as meant is used only afterwards, to measure the quality of
    the cuts (see [`summary`]).

    The update arrives at position 0: nothing can be emitted before the question is complete, so there is nothing to
    repair. A question without a cue becomes a row without updates, of phase 1, with the whole question as prompt.

    Literal escapes in the files (a backslash before `u00e9` or a quote) are decoded, and spaces made single; nothing
    else is changed.

    Args:
        path (`str` or `Path`): the folder that holds the JSON files.
        split (`str`, *optional*, defaults to `"train"`): `"train"`, `"dev"` or `"test"`, the name of the file.
        include_unsplit (`bool`, *optional*, defaults to `True`): keep the questions in which no cue was found.

    Returns:
        `list[dict]`: the rows in the order of the file; `index` is the place in the file.

    Raises:
        `FileNotFoundError`: the folder or the file is missing.
        `ValueError`: `split` is unknown, or the file is not what Disfl-QA publishes; names file, id and field.
    """
    rows = []
    for index, (disfluent, original) in enumerate(_read(Path(path), split)):
        cut = split_at_cue(disfluent)
        if cut is not None or include_unsplit:
            prompt, update = (cut.prompt, cut.update) if cut else (disfluent, "")
            rows.append(_row(prompt, update, original, split, index))
    return rows


def _read(folder: Path, split: str) -> list[tuple[str, str]]:
    """Pairs of a disfluent question and the question as meant, of a split."""
    remedy = f"get the data from {SOURCE} and give the folder that holds train.json, dev.json and test.json"
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise FileNotFoundError(f"`path` {folder} {what}; {remedy}.")
    file = folder / f"{split}.json"
    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist; {remedy}.")
    try:
        items = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not JSON ({error}); {remedy}.") from error
    if not isinstance(items, dict) or not items:
        raise ValueError(f"{file} must map ids to questions, and holds {_nature(items)}; {remedy}.")
    return [_item(file, key, item) for key, item in items.items()]


def _item(file: Path, key: str, item: object) -> tuple[str, str]:
    if not isinstance(item, dict):
        raise ValueError(f"{file}, id {key}: must be an object with `original` and `disfluent`, is {_nature(item)}.")
    for field in ("disfluent", "original"):
        if not isinstance(item.get(field), str):
            is_now = f"is {_nature(item[field])}" if field in item else "is missing"
            raise ValueError(f"{file}, id {key}: `{field}` must be text, {is_now}; get the file anew from {SOURCE}.")
    if not item["original"].strip():
        raise ValueError(f"{file}, id {key}: `original` is blank; get the file anew from {SOURCE}.")
    return _plain(item["disfluent"]), _plain(item["original"])


def _nature(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", type(None): "null"}
    return "nothing" if value == {} else names.get(type(value), "a number or a boolean")


def _plain(text: str) -> str:
    """Decodes doubly escaped characters, and drops control characters."""
    text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda match: chr(int(match.group(1), 16)), text)
    text = re.sub(r"\\+[tn](?!\w)", " ", text)
    text = re.sub(r'\\+"', '"', text)
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text).split())


def _row(prompt: str, update: str, original: str, split: str, index: int) -> Row:
    heard = {
        "text": update,
        "kind": "correction",
        "source": "user",
        "position": 0,
        "earliest": 0,
        "repair": False,
        "changes": [],
    }
    return {
        "prompt": prompt,
        "initial_target": "",
        "updates": [heard] if update else [],
        "revised_target": original + END,
        "facts": [],
        "provenance": [],
        "repairs": [],
        "timeline": [],
        "answers": [],
        "task_type": TASK_TYPE,
        "update_step": 0 if update else -1,
        "requires_revision": False,
        "phase": 2 if update else 1,
        "split": split,
        "seed": 0,
        "index": index,
        "attempt": 0,
    }


def _parts(row: Row) -> tuple[str, str, str]:
    """Prompt, update (empty if there is none) and the question as meant."""
    update = row["updates"][0]["text"] if row["updates"] else ""
    return row["prompt"], update, row["revised_target"].removesuffix(END)


def normalise(text: str) -> list[str]:
    """The words of a text as SQuAD's evaluation compares them: lower case, no punctuation, no articles."""
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def exact_match(prediction: str, reference: str) -> float:
    """1.0 if both texts have the same normalised words in the same order, else 0.0."""
    return float(normalise(prediction) == normalise(reference))


def token_f1(prediction: str, reference: str) -> float:
    """Harmonic mean of precision and recall of normalised words, 0.0 to 1.0; 1.0 for two empty texts."""
    words, wanted = normalise(prediction), normalise(reference)
    if not words or not wanted:
        return float(words == wanted)
    common = (Counter(words) & Counter(wanted)).total()
    return 2 * common / (len(words) + len(wanted))


def coverage(prompt: str, update: str, reference: str) -> float:
    """Share of the reference's normalised words that prompt and update contain, with multiplicity."""
    wanted = Counter(normalise(reference))
    held = Counter(normalise(f"{prompt} {update}"))
    return (wanted & held).total() / max(1, wanted.total())


def is_reachable(prompt: str, update: str, reference: str) -> bool:
    """Whether the update without its cue, substituted for some words of the prompt, gives the reference."""
    said, new, wanted = (normalise(text) for text in (prompt, update[len(find_cue(update)) :], reference))
    kept = len(wanted) - len(new)
    if not 0 <= kept <= len(said):
        return False
    return any(said[:start] + new + said[len(said) - kept + start :] == wanted for start in range(kept + 1))


def copy_baseline(row: Row) -> str:
    """The question as uttered."""
    prompt, update, _ = _parts(row)
    return f"{prompt} {update}".strip()


def repair_baseline(row: Row) -> str:
    """The question as repaired by [`~dataset_builder.speech.disfluency.repair`]."""
    prompt, update, _ = _parts(row)
    return repair(prompt, update)


BASELINES: dict[str, Callable[[Row], str]] = {"copy": copy_baseline, "repair": repair_baseline}


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """
    Measures the rules on rows of [`load_disfl_qa`]. All rates are shares, 0 to 1.

    Args:
        rows (`Sequence[dict]`): rows of one split; with `include_unsplit=False` the hit rate is 1 by definition.

    Returns:
        `dict`: `questions` and `with_cue`, counts; `hit_rate`, the share with a cue; of these, `covered`, the share
        whose prompt and update contain every word of the question as meant, `words_covered`, the mean share of its
        words, and `reachable`, the share that one replacement can correct; `baselines`, exact match and F1 of each
        over all rows, and `baselines_with_cue`, over those with a cue; `kinds` and `cues`, how often each occurs.

    Raises:
        `ValueError`: there are no rows.
    """
    if not rows:
        raise ValueError("`rows` is empty; load a split that has questions.")
    cut = [row for row in rows if row["updates"]]
    parts = [_parts(row) for row in cut]
    covered = [coverage(*part) for part in parts]
    cues = [find_cue(update) for _, update, _ in parts]
    return {
        "questions": len(rows),
        "with_cue": len(cut),
        "hit_rate": len(cut) / len(rows),
        "covered": _mean([share == 1 for share in covered]),
        "words_covered": _mean(covered),
        "reachable": _mean([is_reachable(*part) for part in parts]),
        "baselines": baseline_scores(rows),
        "baselines_with_cue": baseline_scores(cut),
        "kinds": dict(Counter(cue_kind(cue) for cue in cues).most_common()),
        "cues": dict(Counter(" ".join(re.findall(r"[\w’']+", cue.lower())) for cue in cues).most_common()),
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def scores(said: Sequence[str], rows: Sequence[Row]) -> dict[str, float]:
    """Mean `exact_match` and `f1` of the predictions `said` for the rows."""
    pairs = [(text, _parts(row)[2]) for text, row in zip(said, rows, strict=True)]
    return {
        "exact_match": _mean([exact_match(*pair) for pair in pairs]),
        "f1": _mean([token_f1(*pair) for pair in pairs]),
    }


def baseline_scores(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """The [`scores`] of each baseline."""
    return {name: scores([predict(row) for row in rows], rows) for name, predict in BASELINES.items()}


def report(split: str, found: dict[str, Any], num_cues: int) -> str:
    """Formats a [`summary`] for reading."""
    lines = [
        f"{split}: {found['questions']:,} questions, {found['with_cue']:,} with a cue ({found['hit_rate']:.1%})",
        f"  of these: every word of the question as meant was said {found['covered']:.1%} "
        f"(words: {found['words_covered']:.1%}), one replacement sets it right {found['reachable']:.1%}",
        f"  {'':<10}{'all: EM':>9}{'F1':>8}{'with a cue: EM':>17}{'F1':>8}",
    ]
    for name, scores in found["baselines"].items():
        shares = [*scores.values(), *found["baselines_with_cue"][name].values()]
        lines.append(f"  {name:<10}" + "".join(f"{share:>{width}.1%}" for share, width in zip(shares, (9, 8, 17, 8))))
    lines.append("  kinds of cue: " + ", ".join(f"{kind} {count:,}" for kind, count in found["kinds"].items()))
    most = [f"{cue or '(none)'} {count:,}" for cue, count in list(found["cues"].items())[:num_cues]]
    return "\n".join([*lines, f"  cues ({len(found['cues']):,} in all): " + ", ".join(most)])


def show(row: Row) -> str:
    """Formats a row for reading, one line for each part."""
    prompt, update, meant = _parts(row)
    lines = [
        f"#{row['index']}",
        f"  said    {prompt}",
        f"  update  {update or '(no cue found)'}",
        f"  meant   {meant}",
    ]
    guess = repair_baseline(row)
    return "\n".join([*lines, f"  repair  {guess}" + "   (wrong)" * (not exact_match(guess, meant))])


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Writes rows under the columns of `schema.SCHEMA`; atomically, so the file is never incomplete."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from .schema import SCHEMA
    from .shards import whole_file

    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMA), file, compression="zstd")
