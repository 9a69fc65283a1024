"""Widgets: a pure `render(**state) -> image` each, and a thin shell of sliders."""
