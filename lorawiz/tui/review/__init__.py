"""Review: every image with its picture, findings, words and prompt, and keys to mend them."""
