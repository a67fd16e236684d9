"""A flow as a picture: a graph, a layout computed here, SVG or Mermaid text. No third-party code."""
