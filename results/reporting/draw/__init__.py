"""Drawing: the same charts as Plotly figures for the page and as PNG files through Matplotlib."""
