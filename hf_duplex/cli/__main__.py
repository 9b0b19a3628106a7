"""`python -m hf_duplex.cli` runs `hf-duplex`."""

from .app import main


if __name__ == "__main__":
    main()
