/* SPDX-License-Identifier: Apache-2.0
 *
 * The ADBC driver of DuckDB's Python package under the name that drivers have. It is linked with the extension and with
 * libpython, whose symbols the extension needs although the driver uses none of them. */
#include <stdint.h>

uint8_t duckdb_adbc_init(int version, void *driver, void *error);
uint8_t AdbcDriverInit(int version, void *driver, void *error);

uint8_t AdbcDriverInit(int version, void *driver, void *error) { return duckdb_adbc_init(version, driver, error); }
