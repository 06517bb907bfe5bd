/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_base_cursor(void);
int migc_unwritten_base_cursor(void) { return 0; }
