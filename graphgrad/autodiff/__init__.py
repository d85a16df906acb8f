"""Derivatives: reverse mode and forward mode as graph transformations, and numeric ones to check them by."""
