"""The ranked table: rows, columns, filters, formats."""
