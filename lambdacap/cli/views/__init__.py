"""What commands print: tables for people, plain data for --json."""
