"""The same screens as a web page, for people without SSH."""
