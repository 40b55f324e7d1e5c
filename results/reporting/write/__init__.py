"""Writing: a report document as Markdown or as one HTML page."""
