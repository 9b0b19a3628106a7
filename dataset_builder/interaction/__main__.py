"""python -m dataset_builder.interaction build | check | show"""

from .cli import main


if __name__ == "__main__":
    main()
