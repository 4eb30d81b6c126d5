"""The LoRA file: tensors under kohya's names, metadata that is true, hashes that others agree on."""
