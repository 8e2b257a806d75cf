#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a statement with the ADBC driver for PostgreSQL in Python.

adbc.py ADDRESS STATEMENT    prints the seconds to an Arrow table, to JSON as well, and the peak of resident MiB
"""
import json
import resource
import sys
import time

import adbc_driver_postgresql.dbapi

with adbc_driver_postgresql.dbapi.connect(sys.argv[1]) as connection, connection.cursor() as cursor:
    began = time.perf_counter()
    cursor.execute(sys.argv[2])
    table = cursor.fetch_arrow_table()
    fetched = time.perf_counter() - began
    json.dumps([column.to_pylist() for column in table.columns], default=str)
    print(json.dumps([fetched, time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
