"""Images and words: dataset.jsonl, the one image loader, buckets, batches, prompts."""
