"""
A folder of evidence: results, predictions and checkpoints, each with its hash in `manifest.json`.

What was written is entered at once, and what is read is held against its entry: a file that was changed since is
refused. `data` holds a hash of each split of each suite, so that evidence cannot outlive the data that it is about.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataset_builder.interaction import Example

from ...record import write_json


FORMAT = 1
MANIFEST = "manifest.json"
COMMAND = "python -m hf_duplex.interaction"


def hash_examples(examples: Sequence[Example]) -> str:
    """The sha256 of examples, whatever file they lie in: of their rows as JSON, one a line."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps(example.to_row(), sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Evidence:
    """
    A folder of evidence.

    Args:
        folder (`str` or `Path`): Where it lies; made when something is written.

    Attributes:
        manifest (`dict`): `settings` that all of it has in common, `data` (hashes by `suite/split`) and `files`
            (hashes by path in the folder, with forward slashes).

    Raises:
        ValueError: There is a manifest of another kind.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.manifest: dict[str, Any] = {"format": FORMAT, "settings": None, "data": {}, "files": {}}
        path = self.folder / MANIFEST
        if path.is_file():
            found = json.loads(path.read_text())
            if found.get("format") != FORMAT or not self.manifest.keys() <= found.keys():
                raise ValueError(f"`--out`: {path} is no manifest in format {FORMAT}: choose another folder.")
            self.manifest = found

    def _write(self) -> None:
        write_json(self.manifest, self.folder / MANIFEST)

    def keep_to(self, settings: dict[str, Any]) -> None:
        """
        Writes down what all evidence of the folder has in common.

        Raises:
            ValueError: The folder holds evidence that was made with other settings.
        """
        if self.manifest["settings"] not in (None, settings):
            raise ValueError(
                f"`--out`: {self.folder} was made with other settings, {self.manifest['settings']}, now {settings}: "
                "choose another folder, or the same settings to go on."
            )
        self.manifest["settings"] = settings

    def keep_data(self, split: str, examples: Sequence[Example]) -> str:
        """
        Enters the hash of a split (`suite/split`), and returns it.

        Raises:
            ValueError: It had another hash: the data have changed.
        """
        found = hash_examples(examples)
        known = self.manifest["data"].setdefault(split, found)
        if known != found:
            raise ValueError(
                f"`--out`: the examples of {split} are not those that {self.folder / MANIFEST} tells of "
                f"(sha256 {found[:12]}, not {known[:12]}): choose another folder, and run everything on the new data."
            )
        return found

    def enter(self, *paths: str | Path) -> None:
        """Enters files of the folder, by their path in it, with the hashes that they have now."""
        for path in paths:
            self.manifest["files"][Path(path).as_posix()] = hash_file(self.folder / path)
        self._write()

    def check(self, path: str | Path, command: str = f"{COMMAND} all") -> None:
        """
        Holds a file against its entry.

        Args:
            path (`str` or `Path`): The file, by its path in the folder.
            command (`str`, *optional*): What makes it anew.

        Raises:
            ValueError: It is missing, was never entered, or was changed since.
        """
        name = Path(path).as_posix()
        known = self.manifest["files"].get(name)
        remedy = f"delete it and run `{command} --out {self.folder}` to make it anew."
        if not (self.folder / path).is_file():
            raise ValueError(f"{self.folder / path} is missing: run `{command} --out {self.folder}` to make it.")
        if known is None:
            raise ValueError(f"{self.folder / path} has no hash in {MANIFEST}: {remedy}")
        if hash_file(self.folder / path) != known:
            raise ValueError(
                f"{self.folder / path} does not match its hash in {MANIFEST}: it was changed since it was written; "
                f"{remedy}"
            )

    def has(self, path: str | Path) -> bool:
        """
        Whether a file is there and was entered: an interrupted run may leave one that was not, which is made anew.

        Raises:
            ValueError: It is, and does not match its hash.
        """
        if not (self.folder / path).is_file() or Path(path).as_posix() not in self.manifest["files"]:
            return False
        self.check(path)
        return True

    def read(self, path: str | Path, command: str = f"{COMMAND} all") -> dict[str, Any]:
        """
        A JSON file of the folder.

        Raises:
            ValueError: See [`check`].
        """
        self.check(path, command)
        found: dict[str, Any] = json.loads((self.folder / path).read_text())
        return found

    def write(self, path: str | Path, content: dict[str, Any]) -> None:
        """Writes a JSON file into the folder, and enters it."""
        write_json(content, self.folder / path)
        self.enter(path)

    def check_all(self) -> int:
        """
        Holds every file that was entered against its entry, and returns their number.

        Raises:
            ValueError: See [`check`].
        """
        for path in self.manifest["files"]:
            self.check(path)
        return len(self.manifest["files"])
