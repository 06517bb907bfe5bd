/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_base_parse(void);
int migc_unwritten_base_parse(void) { return 0; }
