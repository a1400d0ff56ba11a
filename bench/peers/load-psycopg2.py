"""`python3 bench/peers/load-psycopg2.py FILE URL`: the script that one would write with Python: csv, and INSERTs of a
thousand rows each, all in one transaction. Whatever PostgreSQL does not take ends it."""

import csv
import sys

import psycopg2
from psycopg2.extras import execute_values

path, url = sys.argv[1:]
with open(path, encoding="utf-8", newline="") as file, psycopg2.connect(url) as connection:
    records = csv.reader(file)
    next(records)
    rows = ([cell or None for cell in record] for record in records)
    execute_values(connection.cursor(), "INSERT INTO customers VALUES %s", rows, page_size=1000)
