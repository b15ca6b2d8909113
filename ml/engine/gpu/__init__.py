"""The pass through the model on a GPU, with operations of torch only."""
