"""Pages: templates, style and script, rendered with strict headers."""
