/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_port_port(void);
int migc_unwritten_port_port(void) { return 0; }
