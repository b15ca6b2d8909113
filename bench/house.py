"""The house model's figures on held-out briefs, as its model card reports them."""

import sys

from bench import output
from ml.training.evaluate import main

if __name__ == "__main__":
    sys.exit(main(["--model", "ml/house/text", "--json", str(output("house")), *sys.argv[1:]]))
