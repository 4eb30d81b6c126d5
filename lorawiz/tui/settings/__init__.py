"""The settings screen: a form made from the spec, over lorawiz.toml itself."""
