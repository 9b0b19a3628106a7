"""
The studio as a Space of the Hub: upload this folder, and it runs as it is.

    python examples/space/app.py     # here, on http://127.0.0.1:7860
"""

import os

from hf_duplex.studio.launch import LAUNCH, make_page


# Model folders or Hub names; in a clone of the repository the released ones are found without.
demo = make_page(model=os.environ.get("HF_DUPLEX_MODEL"), baseline=os.environ.get("HF_DUPLEX_BASELINE"))

if __name__ == "__main__":
    demo.launch(**LAUNCH)
