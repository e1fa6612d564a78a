"""What Keras networks share: batches, the training loop, files, costs."""
