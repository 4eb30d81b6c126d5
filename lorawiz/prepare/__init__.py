"""Models over a project's images: crop, cutout, caption and tag, sharded and resumable."""
