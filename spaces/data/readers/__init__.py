"""From files, downloads and functions to rows as they are."""
