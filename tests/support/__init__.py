"""What several tests build: photos, projects, tiny base models."""
