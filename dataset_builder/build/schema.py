"""The columns of a data set, as stored in parquet and as `datasets` loads them.

Positions and spans count characters of the whole target, `initial_target + revised_target`; a version is the number of
updates received before.
"""

from __future__ import annotations

import pyarrow as pa


def _records(**fields: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct(list(fields.items())))


TEXT, NUMBER, FLAG = pa.string(), pa.int32(), pa.bool_()

SCHEMA = pa.schema(
    [
        ("prompt", TEXT),
        ("initial_target", TEXT),
        (
            "updates",
            _records(
                text=TEXT,
                kind=TEXT,
                source=TEXT,
                position=NUMBER,
                earliest=NUMBER,
                repair=FLAG,
                changes=_records(fact=TEXT, value=TEXT),
            ),
        ),
        ("revised_target", TEXT),
        ("facts", _records(name=TEXT, value=TEXT, type=TEXT)),
        (
            "provenance",
            _records(
                key=TEXT,
                value=TEXT,
                start=NUMBER,
                end=NUMBER,
                version=NUMBER,
                stale_version=NUMBER,
                complete=FLAG,
                facts=pa.list_(TEXT),
            ),
        ),
        ("repairs", _records(start=NUMBER, end=NUMBER, version=NUMBER)),
        ("timeline", _records(key=TEXT, version=NUMBER, value=TEXT)),
        ("answers", _records(key=TEXT, value=TEXT)),
        ("task_type", TEXT),
        ("update_step", NUMBER),
        ("requires_revision", FLAG),
        ("phase", NUMBER),
        ("split", TEXT),
        ("seed", pa.int64()),
        ("index", pa.int64()),
        ("attempt", NUMBER),
    ]
)
"""[`~dataset_builder.Sample`] documents each column."""
