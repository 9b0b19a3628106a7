"""`python -m hf_duplex.interaction` runs the experiments of the interaction benchmark."""

from .evaluation.experiments import app


if __name__ == "__main__":
    app()
