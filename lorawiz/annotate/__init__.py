"""Models that look at images: taggers, captioners, face detectors, segmenters."""
