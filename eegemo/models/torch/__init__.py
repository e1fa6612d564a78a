"""PyTorch modules as models; an optional package, loaded when a module is built."""
