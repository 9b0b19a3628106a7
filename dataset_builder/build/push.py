"""Uploads a data set to the Hub."""

from __future__ import annotations

from pathlib import Path

from .card import CARD
from .check import check_dataset
from .stored import DATA, MANIFEST, StoredDataset


def push_dataset(dir: str | Path, repo_id: str, *, private: bool = False, token: str | None = None) -> str:
    """
    Checks a data set and uploads it to the Hub; data files of an earlier push are replaced.

    Args:
        dir (`str` or `Path`): Where the data set was built.
        repo_id (`str`): Its name on the Hub: `"user/name"`.
        private (`bool`, *optional*, defaults to `False`): Make it private; an existing one stays as it is.
        token (`str`, *optional*, defaults to the one that is stored): A token with write access.

    Returns:
        `str`: Its URL.

    Raises:
        ValueError: The data set fails its check, or has no card; the name is invalid, or there is no token.
            Nothing was sent.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise ValueError(f"`repo_id`: {error}") from error
    if not (token or get_token()):
        raise ValueError("`token`: none was given, and none is stored; run `hf auth login`, or give one.")
    dataset = StoredDataset(dir)
    if not (dataset.folder / CARD).is_file():
        raise ValueError(f"`dir`: {dataset.folder} has no {CARD}; build again into the same folder, which writes it.")
    errors = check_dataset(dir).errors
    if errors:
        raise ValueError(f"`dir`: {dataset.folder} fails its check, so it was not pushed. {errors[0]}")
    api = HfApi(token=token)
    repo_id = api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True).repo_id
    api.upload_folder(
        repo_id=repo_id,
        repo_type="dataset",
        folder_path=dataset.folder,
        # Only files of the data set; further files of an earlier push with more shards are deleted.
        allow_patterns=[CARD, MANIFEST, "*.png", f"{DATA}/*.parquet"],
        delete_patterns=f"{DATA}/*.parquet",
        commit_message=f"{dataset.config['name']}: {dataset.samples:,} rows",
    )
    return f"{api.endpoint}/datasets/{repo_id}"
