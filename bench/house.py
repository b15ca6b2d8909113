"""The house model's figures on held-out briefs, as its model card reports them."""

import os
import sys

from ml.training.evaluate import main

if __name__ == "__main__":
    sys.exit(main(["--model", "ml/house/text", "--json", os.environ.get("BENCH_OUTPUT", "house.json"), *sys.argv[1:]]))
