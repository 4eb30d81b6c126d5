"""The check screen: what would fail, be ignored or be pointless, each with its fix on one key."""
