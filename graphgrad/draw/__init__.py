"""Pictures: forward and backward as mirror images, row by row, with the emitted lines.

A `Story` (what is told) becomes a `Scene` (where it stands), and a scene becomes DOT with fixed positions.
"""
