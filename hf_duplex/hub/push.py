"""
Sends a folder to the Hub: a model, with its code, card, tokenizer and results, or a data set that was built.

    hf-duplex push model_cards/duplex-workspace-5m me/duplex-workspace-5m

All that can be wrong with a folder is found before anything is sent; what is sent of a model is one commit.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, EvalResult, HfApi, ModelCard, get_token
from huggingface_hub.errors import HFValidationError, HTTPError, StrictDataclassError
from huggingface_hub.utils import validate_repo_id
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from dataset_builder.build.card import CARD
from dataset_builder.build.check import check_dataset
from dataset_builder.build.push import push_dataset
from dataset_builder.build.stored import DATA, MANIFEST, StoredDataset

from .. import modeling  # noqa: F401  registers the three generators
from .cards import WHAT, evaluated, name_in
from .code import code_of
from .tables import NOT_MEASURED, read_results


CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZER = "tokenizer.json"
FACTS = ("results.json", "speed.json", "training.json")
# Sent where they are there. A training run holds more, states of the optimizer among it, which stays at home.
OPTIONAL = (
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    *FACTS,
)
# What the client raises: the last is what it makes of a large file that did not arrive.
HUB_ERRORS = (HTTPError, ConnectionError, RuntimeError)


@dataclass(frozen=True)
class SentFiles:
    """
    What went to the Hub, or would.

    Args:
        files (`dict[str, int]`): Size in bytes of each file, by its name there.
        address (`str`): Where it can be seen.
        dry_run (`bool`): Whether nothing was sent.
    """

    files: dict[str, int]
    address: str
    dry_run: bool

    def __str__(self) -> str:
        lines = [f"{size:>14,}  {name}" for name, size in self.files.items()]
        told = "Nothing was sent. Would send" if self.dry_run else "Sent"
        total = sum(self.files.values())
        return "\n".join([*lines, f"{told} {len(lines)} files, {total:,} bytes: {self.address}"])


def push_folder(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    token: str | None = None,
    dry_run: bool = False,
) -> SentFiles:
    """
    Sends a model folder, or a data set that was built, to the Hub.

    Args:
        folder (`str` or `Path`): A model folder, as `release` makes it, a training run that has a card, or a data set.
        repo_id (`str`): Its name on the Hub: `"user/name"`.
        private (`bool`, *optional*, defaults to `False`): Make a new repository private; an existing one stays what it
            is.
        revision (`str`, *optional*, defaults to the main branch): The branch of a model's repository to send it to,
            made where it is missing.
        token (`str`, *optional*, defaults to the one that is stored): A token that may write.
        dry_run (`bool`, *optional*, defaults to `False`): Check everything, ask the Hub nothing, and send nothing.

    Raises:
        ValueError: Something is wrong with the folder, with the name, or with the token, and nothing was sent; or the
            Hub refused, and nothing was committed.
    """
    # Results call a model by its folder, which `.` does not name.
    folder = Path(os.path.abspath(folder))
    if not folder.is_dir():
        raise ValueError(f"`folder`: there is no folder {folder}; give a model folder, or one that `data build` made.")
    check_name(repo_id)
    if not (dry_run or token or get_token()):
        raise ValueError("`token`: none was given, and none is stored; run `hf auth login`, or give one.")
    if (folder / MANIFEST).is_file():
        if revision is not None:
            raise ValueError("`revision`: a data set goes to the main branch; leave it out.")
        return push_built(folder, repo_id, private, token, dry_run)
    check_branch(revision)
    files = model_files(folder, repo_id)
    if not dry_run:
        send(files, repo_id, f"{folder.name}: weights, code, tokenizer, card", private, revision, token)
    sizes = {name: len(held) if isinstance(held, bytes) else held.stat().st_size for name, held in files.items()}
    at = f"/tree/{revision}" if revision else ""
    return SentFiles(sizes, f"{HfApi().endpoint}/{repo_id}{at}", dry_run)


def check_name(repo_id: str) -> None:
    """Raises `ValueError` where a name is none that the Hub could have."""
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise ValueError(f"`repo_id`: {error}") from error
    if "/" not in repo_id:
        raise ValueError(f"`repo_id`: say whose it is, as in user/{repo_id}.")


def check_branch(revision: str | None) -> None:
    """Raises `ValueError` where a name is none of a branch: found out here, before a repository is made for it."""
    if revision is not None and not re.fullmatch(r"(?!refs/)\w[\w.-]*(/\w[\w.-]*)*", revision):
        raise ValueError(f"`revision`: {revision!r} is not the name of a branch; use letters, digits, - and _.")


def push_built(folder: Path, repo_id: str, private: bool, token: str | None, dry_run: bool) -> SentFiles:
    """
    What `hf-duplex data push` does.

    Raises:
        ValueError: The data set has no card or fails its check, or the Hub refused.
    """
    StoredDataset(folder)  # names what is wrong with a build
    if not dry_run:
        with one_clear_error(repo_id, *HUB_ERRORS):
            push_dataset(folder, repo_id, private=private, token=token)
    elif not (folder / CARD).is_file():
        raise ValueError(f"`folder`: {folder} has no {CARD}; build again into the same folder, which writes it.")
    elif errors := check_dataset(folder).errors:
        raise ValueError(f"`folder`: {folder} fails its check, so it cannot be pushed. {errors[0]}")
    paths = [folder / CARD, folder / MANIFEST, *folder.rglob("*.png"), *(folder / DATA).rglob("*.parquet")]
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in sorted(paths)}
    return SentFiles(sizes, f"{HfApi().endpoint}/datasets/{repo_id}", dry_run)


def model_files(folder: Path, repo_id: str) -> dict[str, Path | bytes]:
    """
    All that is sent of a model, by its name on the Hub: as it lies in the folder, or as it is written for the Hub.

    Args:
        folder (`Path`): An absolute path.
        repo_id (`str`): What the model will be called on the Hub; its card shows how to load it from there.

    Raises:
        ValueError: It holds no model of ours, or not all that belongs to one; or its parts do not fit together.
    """
    config, stored_config = read_config(folder)
    weights = find_weights(folder)
    # The parts of a model without their numbers: enough to know what is missing, whatever its size.
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    check_weights(model, weights)
    if not (folder / TOKENIZER).is_file():
        raise ValueError(f"`folder`: {folder} has no {TOKENIZER}; save the tokenizer beside the model.")
    card = draw_metadata(folder, repo_id)
    there = [folder / name for name in (TOKENIZER, *OPTIONAL) if (folder / name).is_file()]
    # Weights are sent as they lie there, never loaded and saved again: not a bit of them changes.
    files: dict[str, Path | bytes] = {path.name: path for path in [*weights, *there]}
    if weights[0].name != WEIGHTS:
        files[INDEX] = folder / INDEX
    return dict(sorted({**files, **code_of(type(config)().to_dict()), CONFIG: stored_config, CARD: card}.items()))


def read_config(folder: Path) -> tuple[PreTrainedConfig, Path | bytes]:
    """
    The configuration of a model, and the file that is sent: `auto_map` and the pipeline name the code beside it, also
    where the folder came from a repository whose code was meant.

    Raises:
        ValueError: There is none, it cannot be read, or it is that of another model.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise ValueError(f"`folder`: {folder} holds neither a model ({CONFIG}) nor a data set ({MANIFEST}).")
    written = read_object(path)
    kind = written.get("model_type")
    if kind not in WHAT:
        raise ValueError(f"`folder`: {folder} holds a {kind} model, and none of ours: {', '.join(WHAT)}.")
    try:
        config = AutoConfig.from_pretrained(folder)
    except (ValueError, TypeError, OSError, StrictDataclassError) as error:
        raise ValueError(f"`folder`: {path} is no configuration of a {kind}: {one_line(error)}") from error
    fresh = type(config)().to_dict()
    named = {**written, **{key: fresh[key] for key in ("auto_map", "custom_pipelines")}}
    return config, path if named == written else json.dumps(named, indent=2, sort_keys=True).encode() + b"\n"


def read_object(path: Path) -> dict[str, Any]:
    """Reads a JSON object, or raises `ValueError` where a file is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"`folder`: {path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"`folder`: {path} holds no JSON object.")
    return found


def find_weights(folder: Path) -> list[Path]:
    """
    The files that hold a model's weights, in the order in which `from_pretrained` looks for them.

    Raises:
        ValueError: There are none, or not all that the index names.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        raise ValueError(f"`folder`: {folder} holds no weights ({WEIGHTS}); is the training finished?")
    names = sorted(set(read_object(folder / INDEX).get("weight_map", {}).values()))
    missing = [name for name in names if not (folder / name).is_file()]
    if missing or not names:
        raise ValueError(f"`folder`: {folder / INDEX} names weights that are missing: {', '.join(missing) or 'all'}.")
    return [folder / name for name in names]


def check_weights(model: PreTrainedModel, paths: Sequence[Path]) -> None:
    """
    Args:
        model (`PreTrainedModel`): What the configuration asks for; its weights may be on the meta device.
        paths (`Sequence[Path]`): The files that hold the weights. Only names and shapes are read.

    Raises:
        ValueError: A file cannot be read, or holds other weights than the model has.
    """
    stored: dict[str, list[int]] = {}
    for path in paths:
        try:
            with safe_open(path, "pt") as opened:
                stored |= {name: opened.get_slice(name).get_shape() for name in opened.keys()}
        except SafetensorError as error:
            raise ValueError(f"`folder`: {path} cannot be read: {error}") from error
    # Tied weights are stored once.
    wanted = {
        name: list(weight.shape)
        for name, weight in model.state_dict().items()
        if name in stored or name not in model.all_tied_weights_keys
    }
    for name in sorted(wanted.keys() | stored.keys()):
        if wanted.get(name) != stored.get(name):
            raise ValueError(
                f"`folder`: the weights do not belong to {CONFIG}: {name} is {stored.get(name, 'missing')} "
                f"and should be {wanted.get(name, 'absent')}."
            )


def draw_metadata(folder: Path, repo_id: str) -> bytes:
    """
    The card as it is sent: its metadata tell what `results.json` says, and its example names the model on the Hub.

    Raises:
        ValueError: There is no card, or none that can be read; `results.json` is of another format or of another
            model; or the card tells other results than that.
    """
    path = folder / CARD
    draw = f"`python -m hf_duplex.hub card {folder}`"
    if not path.is_file():
        raise ValueError(f"`folder`: {folder} has no card ({CARD}); write it with {draw}.")
    results_path = folder / "results.json"
    results = read_results(results_path) if results_path.is_file() else None
    measured = evaluated(results["models"][name_in(results, folder)]) if results else []
    try:
        card = ModelCard.load(path)
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise ValueError(f"`folder`: the metadata of {path} cannot be read: {one_line(error)}") from error
    told = card.data.eval_results or []
    # A card without any figure gets them; one that tells others would contradict its own metadata.
    if (told or NOT_MEASURED in card.text) and figures(told) != figures(measured):
        raise ValueError(f"`folder`: {path} tells other results than results.json; draw it anew with {draw}.")
    card.data.eval_results = measured or None
    card.data.model_name = card.data.model_name or folder.name
    card.text = card.text.replace(f'model="{folder.name}"', f'model="{repo_id}"')
    return str(card).encode()


def figures(entries: Sequence[EvalResult]) -> set[tuple[Any, ...]]:
    """What is told by metadata, whatever the order."""
    return {(entry.dataset_type, entry.dataset_split, entry.metric_type, entry.metric_value) for entry in entries}


def send(
    files: dict[str, Path | bytes], repo_id: str, message: str, private: bool, revision: str | None, token: str | None
) -> None:
    """
    Puts files into a model's repository in one commit, which also removes what an earlier push left of weights and
    facts: older weights could be loaded in the place of the new ones.

    Raises:
        ValueError: The Hub refused, or could not be reached; nothing was committed.
    """
    api = HfApi(token=token)
    with one_clear_error(repo_id, *HUB_ERRORS, ValueError):
        # None lets an organization's own default hold.
        api.create_repo(repo_id, private=private or None, exist_ok=True)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        there = api.list_repo_files(repo_id, revision=revision)
        old = [name for name in there if name not in files and is_ours(name)]
        # Not `upload_folder`: that may split what it sends into several commits.
        api.create_commit(
            repo_id,
            [
                *(CommitOperationAdd(name, held) for name, held in files.items()),
                *(CommitOperationDelete(name) for name in old),
            ],
            commit_message=message,
            revision=revision,
        )


def is_ours(name: str) -> bool:
    """Whether a file of a repository is one that an earlier push put there, and that must not outlive it."""
    return name in FACTS or bool(re.fullmatch(r"model(-\d+-of-\d+)?\.safetensors(\.index\.json)?", name))


@contextmanager
def one_clear_error(repo_id: str, *kinds: type[Exception]) -> Iterator[None]:
    """Raises `ValueError`, with what to do, for errors of the Hub's client."""
    try:
        yield
    except kinds as error:
        reason = one_line(error)
        if isinstance(error, RuntimeError):
            print(file=sys.stderr)  # ends the line of a progress bar that the client leaves open
            reason = f"{reason.rstrip('.')}: {one_line(error.__cause__ or error)}"
        status = getattr(getattr(error, "response", None), "status_code", None)
        remedy = f" Log in with `hf auth login`, or give a `token` that may write to {repo_id}."
        raise ValueError(
            f"`repo_id`: {repo_id} was not pushed, nothing was committed: {reason}"
            f"{remedy if status in (401, 403) else ''}"
        ) from error


def one_line(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())
