/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_page_zero(void);
int migc_unwritten_page_zero(void) { return 0; }
