/* SPDX-License-Identifier: Apache-2.0
 *
 * For grafana-plugin-go alone: see no_openpgp.c. Nothing is declared, as nobody here calls it. */
#ifndef GRAFANA_NO_OPENPGP_H
#define GRAFANA_NO_OPENPGP_H
#endif
