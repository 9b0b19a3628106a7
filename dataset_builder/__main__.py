"""python -m dataset_builder show | build | inspect | check | push | disfl-qa | bench"""

from .cli import main


if __name__ == "__main__":
    main()
