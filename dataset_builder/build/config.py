"""The configuration of a build: a YAML file, or one of the shipped configs by name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from ..config import BuilderConfig
from .splits import SPLITS


CONFIGS = Path(__file__).parents[1] / "configs"
MAX_SHARDS = 100_000  # five digits in the name of a file
_GIVEN_ELSEWHERE = {"split": "splits", "seed": "seed"}  # fields of BuilderConfig that the build sets itself


@dataclass(frozen=True)
class BuildConfig:
    """
    A whole data set: the number of samples of each split, and how they are generated.

    Args:
        name (`str`): The name of the data set.
        splits (`dict[str, int]`): Number of samples of each split.
        seed (`int`, *optional*, defaults to 0): Another seed gives other samples.
        samples_per_shard (`int`, *optional*, defaults to 10000): Maximum number of samples in a file.
        builder (`dict[str, Any]`, *optional*): Fields of [`BuilderConfig`], except `split` and `seed`.
        license (`str`, *optional*): For the card, as the Hub spells it: `"apache-2.0"`.
        tokenizer (`str`, *optional*): Path of a `tokenizer.json`; if given, rows also contain token ids.

    Raises:
        ValueError: A field has the wrong type, or names something that does not exist.
    """

    name: str
    splits: dict[str, int]
    seed: int = 0
    samples_per_shard: int = 10_000
    builder: dict[str, Any] | None = None
    license: str | None = None
    tokenizer: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"`name` must be a text that is not empty, got {self.name!r}.")
        for field in ("license", "tokenizer"):
            value = getattr(self, field)
            if value is not None and (not isinstance(value, str) or not value):
                raise ValueError(f"`{field}` must be a text, got {value!r}; leave the line out to have none.")
        _check_number("seed", self.seed, least=-(2**63), most=2**63 - 1)
        _check_number("samples_per_shard", self.samples_per_shard, least=1)
        object.__setattr__(self, "splits", self._checked_splits())
        object.__setattr__(self, "builder", _resolved(self.builder or {}, self.seed))
        if self.tokenizer is not None:
            from .tokens import load_tokenizer

            load_tokenizer(self.tokenizer)

    def _checked_splits(self) -> dict[str, int]:
        if not isinstance(self.splits, dict) or not self.splits:
            raise ValueError(f"`splits` must name at least one split, as in {{train: 1000}}, got {self.splits!r}.")
        for split, samples in self.splits.items():
            if split not in SPLITS:
                raise ValueError(f"`splits` has no {split!r}; choose from {', '.join(SPLITS)}.")
            _check_number(f"splits.{split}", samples, least=1)
            if -(-samples // self.samples_per_shard) >= MAX_SHARDS:
                raise ValueError(
                    f"`samples_per_shard` of {self.samples_per_shard} cuts the {samples} samples of `splits.{split}` "
                    f"into {MAX_SHARDS} files or more; raise it."
                )
        return {split: self.splits[split] for split in SPLITS if split in self.splits}

    def builder_config(self) -> BuilderConfig:
        """The common configuration of every split's builder."""
        return BuilderConfig(**(self.builder or {}), seed=self.seed)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain JSON; a tokenizer is given by its name and hash, so that its path does not matter."""
        told: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        if self.tokenizer is not None:
            told["tokenizer"] = _tokenizer_identity(Path(self.tokenizer))
        return told

    def recipe(self) -> dict[str, Any]:
        """The fields that determine the bytes of the shards: all except name and license."""
        told = self.to_dict()
        return {"version": package_version(), **{key: told[key] for key in told if key not in ("name", "license")}}

    def fingerprint(self) -> str:
        """A hash of [`recipe`], in hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.recipe(), sort_keys=True).encode()).hexdigest()


def load_build_config(config: str | Path) -> BuildConfig:
    """
    Reads a build config.

    Args:
        config (`str` or `Path`): A YAML file, or the name of a shipped config: `"tiny"`, `"small"` or `"full"`.

    Raises:
        ValueError: There is no such file, it is not valid YAML, or one of its fields is invalid.
    """
    import yaml

    shipped = {path.stem: path for path in sorted(CONFIGS.glob("*.yaml"))}
    path = Path(config)
    if not path.is_file():
        if str(config) not in shipped:
            raise ValueError(
                f"`config`: there is no file {config}; give a YAML file, or one of the shipped {', '.join(shipped)}."
            )
        path = shipped[str(config)]
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"`config`: {path} is no YAML that can be read: {error}.") from error
    if not isinstance(loaded, dict):
        raise ValueError(f"`config`: {path} must hold fields, one a line, as in `name: mine`; got {loaded!r}.")
    _check_keys("config", loaded, [field.name for field in fields(BuildConfig)])
    for field in ("name", "splits"):
        if field not in loaded:
            raise ValueError(f"`{field}` is missing in {path}; add it.")
    return BuildConfig(**loaded)


@cache
def package_version() -> str:
    """The version of the installed package, `"unknown"` if it is not installed."""
    try:
        return installed_version("hf_duplex")
    except PackageNotFoundError:
        return "unknown"


def differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """The differences between two recipes, one line per field."""
    lines = []
    for key in dict.fromkeys([*there, *here]):
        old, new = there.get(key), here.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += [f"`{key}.{line[1:]}" for line in differences(old, new)]
        elif old != new:
            lines.append(f"`{key}` is {json.dumps(old)} there, {json.dumps(new)} here")
    return lines


def _resolved(builder: Any, seed: int) -> dict[str, Any]:
    """All fields of the builder, with the current defaults, so that a later default changes no old config."""
    if not isinstance(builder, dict):
        raise ValueError(f"`builder` must hold fields of BuilderConfig, got {builder!r}.")
    for name, field in _GIVEN_ELSEWHERE.items():
        if name in builder:
            raise ValueError(f"`builder.{name}` is set by `{field}` of the build config; remove it.")
    _check_keys(
        "builder", builder, [field.name for field in fields(BuilderConfig) if field.name not in _GIVEN_ELSEWHERE]
    )
    try:
        config = BuilderConfig(**builder, seed=seed)
    except ValueError as error:
        raise ValueError(f"`builder`: {error}") from error
    except TypeError as error:
        raise ValueError(f"`builder` has a field of the wrong type: {error}.") from error
    return {name: value for name, value in vars(config).items() if name not in _GIVEN_ELSEWHERE}


def _check_keys(where: str, given: dict[Any, Any], known: list[str]) -> None:
    for key in given:
        if key not in known:
            close = get_close_matches(str(key), known, n=1)
            remedy = f"did you mean `{close[0]}`?" if close else f"choose from {', '.join(known)}."
            raise ValueError(f"`{where}` has no field {key!r}; {remedy}")


def _check_number(field: str, value: Any, least: int, most: int | None = None) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"`{field}` must be a whole number written in digits, got {value!r}.")
    if value < least or (most is not None and value > most):
        raise ValueError(f"`{field}` must be at least {least}{f' and at most {most}' if most else ''}, got {value}.")


def _tokenizer_identity(path: Path) -> dict[str, str]:
    file = path / "tokenizer.json" if path.is_dir() else path
    return {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
