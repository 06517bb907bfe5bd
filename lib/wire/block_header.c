/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_wire_block_header(void);
int migc_unwritten_wire_block_header(void) { return 0; }
