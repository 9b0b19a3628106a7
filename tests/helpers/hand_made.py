"""Rows made by hand: two facts of Chile, and what is heard of them."""

CAPITAL, CURRENCY = "capital of Chile", "currency of Chile"
LIMA, CUSCO, QUITO = (f"The capital of Chile is {city}." for city in ("Lima", "Cusco", "Quito"))
WAIT = " Wait, the capital of Chile is Cusco."
PESO = " The currency of Chile is the peso."


def row(task, first, updates, asked):
    """A row in which `first` is true, and then each update, as (kind, {key: value}), changes something."""
    timeline = [{"key": key, "version": 0, "value": value} for key, value in first.items()]
    now = dict(first)
    for version, (_, changes) in enumerate(updates, 1):
        timeline += [{"key": key, "version": version, "value": value} for key, value in changes.items()]
        now |= changes
    return {
        "task_type": task,
        "updates": [{"kind": kind} for kind, _ in updates],
        "timeline": timeline,
        "answers": [{"key": key, "value": now[key]} for key in asked],
        "provenance": [{"key": key, "complete": True} for key in asked],
    }


def chile(*updates):
    """The capital is Lima, the currency the peso; both are asked for."""
    return row("fact_correction", {CAPITAL: "Lima", CURRENCY: "peso"}, updates, [CAPITAL, CURRENCY])


CORRECTED = chile(("correction", {CAPITAL: "Cusco"}))
DISTRUSTED = chile(("untrusted", {}))
CONFIRMED = chile(("confirmation", {}))
