"""The web page: two columns, what was understood and what is advised, open for corrections while text is generated."""
