"""Many folds trained as one program, on Keras's JAX back end."""
