"""Files for who does not open the pages: spreadsheets, tables, one page of paper."""
