"""Imports point down only, and no file imports in a circle: the rooms of CONTRIBUTING.md."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[1]
FLOORS = (
    ("modeling",),
    ("data",),
    ("runtime",),
    ("pressure", "cognition"),
    ("training",),
    ("evaluation",),
    ("metrics", "hub", "studio", "serving"),
    ("cli",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
WHOLE = ("dual_track", "interaction")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("hf_duplex", "dataset_builder")
    for path in (ROOT / package).rglob("*.py")
}


def imported(module: str) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    path, found = MODULES[module], set()
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            found |= {
                f"{origin}.{alias.name}" if f"{origin}.{alias.name}" in MODULES else origin for alias in node.names
            }
    return (found & MODULES.keys()) - {module}


IMPORTS = {module: imported(module) for module in MODULES}


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "hf_duplex" and len(parts) > 1 else None


def wrong_arrows(imports: dict[str, set[str]]) -> list[tuple[str, str]]:
    wrong = []
    for module, others in imports.items():
        for other in others:
            here, there = room(module), room(other)
            up = here in FLOOR and there in FLOOR and FLOOR[here] < FLOOR[there]
            known = there in WHOLE and here not in (there, "cli", "hub") and module.startswith("hf_duplex")
            builder = module.startswith("dataset_builder") and other.startswith("hf_duplex")
            if up or known or builder:
                wrong.append((module, other))
    return wrong


def test_every_room_has_its_floor():
    folders = {path.name for path in (ROOT / "hf_duplex").iterdir() if (path / "__init__.py").is_file()}
    assert folders <= {*FLOOR, *WHOLE}
    assert len(MODULES) > 300


def test_imports_point_down_only():
    assert wrong_arrows(IMPORTS) == []


def test_no_file_imports_in_a_circle():
    tuple(TopologicalSorter(IMPORTS).static_order())


def test_an_arrow_up_and_a_circle_would_be_found():
    up = IMPORTS | {"hf_duplex.runtime.server": {"hf_duplex.pressure.controller"}}
    assert wrong_arrows(up) == [("hf_duplex.runtime.server", "hf_duplex.pressure.controller")]
    circle = IMPORTS | {"hf_duplex.runtime.limits": {"hf_duplex.runtime.server"}}
    with pytest.raises(CycleError):
        tuple(TopologicalSorter(circle).static_order())
