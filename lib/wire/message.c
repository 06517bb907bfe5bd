/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_wire_message(void);
int migc_unwritten_wire_message(void) { return 0; }
