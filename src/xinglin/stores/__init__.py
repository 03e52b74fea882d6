"""Stores: every port implemented: databases, files, key files."""
