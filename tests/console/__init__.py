"""The browser tests: a package, so that their space and their browser end with them."""
