"""What the Stable Diffusion families share: names of layers, loading, LoRA targets, the adapter."""
