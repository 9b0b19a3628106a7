"""`python -m dataset_builder.reflection`."""

from .cli import app


app()
