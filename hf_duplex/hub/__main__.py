"""Releases a training run: python -m hf_duplex.hub RUN FOLDER."""

import argparse

from .release import release


parser = argparse.ArgumentParser(
    prog="python -m hf_duplex.hub", description="Turn a training run into a model folder."
)
parser.add_argument("run", help="what `hf-duplex train` left: model, tokenizer, training.json")
parser.add_argument("folder", help="where the release goes")
release(**vars(parser.parse_args()))
