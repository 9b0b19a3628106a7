"""Facts without the places of the machine that they come from."""

import re
from typing import Any


# An absolute path, alone or in a list with commas.
_ELSEWHERE = re.compile(r"(?<![\w./<])/(?:[^\s/,]+/)+([^\s/,]+)")


def without_paths(facts: Any) -> Any:
    """Facts or a text, each absolute path in them told as `runs/<its last part>`: where something lay on the machine
    that made it means nothing elsewhere."""
    if isinstance(facts, dict):
        return {name: without_paths(value) for name, value in facts.items()}
    if isinstance(facts, list):
        return [without_paths(value) for value in facts]
    return _ELSEWHERE.sub(r"runs/\1", facts) if isinstance(facts, str) else facts
