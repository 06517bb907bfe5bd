/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_base_bitmap(void);
int migc_unwritten_base_bitmap(void) { return 0; }
