"""What pages, reports and exports ask: put to the book, answered by analytics."""
